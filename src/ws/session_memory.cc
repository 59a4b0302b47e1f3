// What a session does without memory: it ends, and nothing else does.

#include "ws/session.h"

HAWSER_BEGIN

// With 1011 where what went out is whole. What is lost cannot be followed by anything: then the transport goes.
void session::fail_without_memory() noexcept {
  const tick now = worker_->loop().now();
  if (!torn_) {
    try {
      core_.fail(close_code::internal_error, errc::out_of_resources, {}, now);
    } catch (...) {
      torn_ = true;
    }
  }
  if (torn_) core_.transport_failed(errc::out_of_resources, now);
  if (!in_turn_) worker_mark();
}

// Ends a turn that was left half-way. What ended is told at the end of the batch, from a clean stack.
void session::no_memory() noexcept {
  if (phase_ == phase::dead) return;
  if (phase_ == phase::opening && extras_ && extras_->how) {
    try {
      return fail_opening(errc::out_of_resources);
    } catch (...) {
      // Then without a word.
    }
  }
  if (phase_ != phase::open) return die(true);
  fail_without_memory();
  if (in_turn_) {
    try {
      flush();
      core_.end_turn();
    } catch (...) {
      torn_ = true;
    }
  }
  in_turn_ = false;
  if (torn_) {
    core_.abandon_turn();
    core_.transport_failed(errc::out_of_resources, worker_->loop().now());
  }
  worker_mark();
}

HAWSER_END
