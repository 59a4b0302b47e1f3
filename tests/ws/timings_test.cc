// What `connection::timings` says of one connection, part by part, to the nanosecond: the clock stands still but where
// a test moves it.

#include "ws/timings_kit.h"

#include <gtest/gtest.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ws/timings.h>

#include <string>

namespace hawser::test {
namespace {

timings of(session* s) { return s->handle().timings().value(); }

// ---- off

TEST(timings, are_not_kept_when_nobody_asked) {
  timed_loop l(false);
  const auto [s, peer] = l.open();
  l.put(peer, text_frame("hello"));
  EXPECT_EQ(s->handle().timings().error(), errc::not_kept);
  EXPECT_EQ(s->times(), nullptr);
}

TEST(timings, belong_to_the_loops_thread_and_to_a_connection_that_lives) {
  timed_loop l;
  const auto [s, peer] = l.open();
  const connection c = s->handle();
  EXPECT_TRUE(c.timings());
  mailbox* mine = std::exchange(current_mailbox, nullptr);
  EXPECT_EQ(c.timings().error(), errc::wrong_thread);
  current_mailbox = mine;
  EXPECT_EQ(c.terminate(), errc::ok);
  l.turn();
  EXPECT_EQ(c.timings().error(), errc::closed);
}

// ---- t_connect, a server's view

TEST(timings, of_a_servers_opening_are_the_request_and_the_response) {
  timed_loop l;
  timings in_handler;
  l.handlers.connect = [&](connection c, const handshake&) {
    l.clock.advance(3ms);
    in_handler = c.timings().value();
  };
  const auto [s, peer] = l.accept();
  EXPECT_FALSE(of(s).connect.request);
  l.clock.advance(20ms);
  l.put(peer, "req");
  l.clock.advance(5ms);
  l.driver().script.write_size = [&] {
    l.clock.advance(2ms);
    return std::size_t{1000};
  };
  l.put(peer, "uest");
  EXPECT_EQ(in_handler.connect.request, 25ms);
  EXPECT_FALSE(in_handler.connect.response) << "it leaves when the handler has returned";
  EXPECT_FALSE(in_handler.connect.total());
  const timings t = of(s);
  EXPECT_EQ(t.connect.request, 25ms);
  EXPECT_EQ(t.connect.response, 3ms + 2ms);
  EXPECT_FALSE(t.connect.acknowledge);
  EXPECT_FALSE(t.connect.names);
  EXPECT_FALSE(t.connect.tcp);
  EXPECT_EQ(t.connect.total(), 30ms);
}

TEST(timings, of_a_response_that_waits_for_the_system_end_with_its_last_byte) {
  timed_loop l;
  l.driver().script.room = 3;
  const auto [s, peer] = l.accept();
  l.put(peer, the_request);
  EXPECT_FALSE(of(s).connect.response);
  l.clock.advance(50ms);
  std::string got = l.take(peer);
  got += l.take(peer);
  l.clock.advance(1ms);
  got += l.take(peer);
  EXPECT_EQ(got, the_response);
  EXPECT_EQ(of(s).connect.response, 50ms);
  EXPECT_EQ(of(s).send.send.count, 0U) << "it is no message";
}

// ---- t_receive

TEST(timings, of_what_is_received_are_receive_prepare_confirm) {
  timed_loop l;
  l.handlers.message = [&](connection, const message& m) { l.clock.advance(std::chrono::milliseconds(m.size())); };
  const auto [s, peer] = l.open();
  EXPECT_FALSE(of(s).receive.last());
  EXPECT_FALSE(of(s).receive.receive.mean());
  const std::string frame = text_frame("seven b");
  l.put(peer, frame.substr(0, 4));
  l.clock.advance(40ms);
  l.put(peer, frame.substr(4));
  timings::receiving r = of(s).receive;
  EXPECT_EQ(r.receive.last, 40ms);
  EXPECT_EQ(r.prepare.last, 0ms);
  EXPECT_EQ(r.confirm.last, 7ms);
  EXPECT_EQ(r.last(), 47ms);
  l.put(peer, text_frame("1"));
  r = of(s).receive;
  EXPECT_EQ(r.receive.last, 0ms);
  EXPECT_EQ(r.receive.sum, 40ms);
  EXPECT_EQ(r.confirm.last, 1ms);
  EXPECT_EQ(r.confirm.sum, 8ms);
  EXPECT_EQ(r.confirm.count, 2U);
  EXPECT_EQ(r.confirm.mean(), 4ms);
}

TEST(timings, of_what_is_received_count_the_wait_behind_other_connections_as_preparation) {
  timed_loop l;
  l.handlers.message = [&](connection, const message&) { l.clock.advance(6ms); };
  const auto [first, first_peer] = l.open();
  const auto [second, second_peer] = l.open();
  l.driver().put(first_peer, as_bytes(text_frame("a")));
  l.put(second_peer, text_frame("b"));
  EXPECT_EQ(of(first).receive.prepare.last, 0ms);
  EXPECT_EQ(of(second).receive.prepare.last, 6ms);
}

TEST(timings, of_what_is_received_count_stages_as_preparation) {
  timed_loop l;
  manual_clock& clock = l.clock;
  extension_list list;
  list.add(ext::message_extension("x-slow", rsv::one)
               .encode([&clock](byte_span) { clock.advance(2ms); })
               .decode([&clock](byte_span) { clock.advance(9ms); }));
  l.handlers.message = [](connection c, const message& m) { EXPECT_EQ(c.send(m), errc::ok); };
  std::string why;
  const auto [s, peer] = l.open(core::answer_extensions("x-slow", list, {}, why).value().agreed);
  l.put(peer, text_of(frame_writer(role::client).frame(0xC1, std::string_view("slow")).take()));
  EXPECT_EQ(of(s).receive.prepare.last, 9ms);
  EXPECT_EQ(of(s).receive.confirm.last, 2ms) << "the handler sends";
  EXPECT_EQ(of(s).send.prepare.last, 2ms);
}

// N messages of one turn: one is measured, and the handler is called for all of them.
TEST(timings, of_messages_that_come_together_are_those_of_the_first) {
  timed_loop l;
  int called = 0;
  l.handlers.message = [&](connection, const message&) { l.clock.advance(std::chrono::milliseconds(++called)); };
  const auto [s, peer] = l.open();
  frame_writer out(role::client);
  out.ping("p").text("a").ping("q").text("b").fragments(1, {"c", "d"}).text("e");
  l.put(peer, text_of(out.take()));
  EXPECT_EQ(called, 4);
  const timings::receiving r = of(s).receive;
  EXPECT_EQ(r.confirm.count, 1U);
  EXPECT_EQ(r.confirm.last, 1ms);
}

TEST(timings, of_a_message_in_parts_are_those_of_its_last_part) {
  timed_loop l;
  l.obey.in_parts = true;
  int parts = 0;
  l.handlers.message = [&](connection, const message&) {
    ++parts;
    l.clock.advance(2ms);
  };
  const auto [s, peer] = l.open();
  frame_writer out(role::client);
  const std::string both = text_of(out.fragments(1, {"first", "second"}).take());
  const std::size_t cut = 2 + 4 + 5;
  l.put(peer, both.substr(0, cut));
  EXPECT_EQ(of(s).receive.receive.count, 0U);
  l.clock.advance(10ms);
  l.put(peer, both.substr(cut));
  EXPECT_EQ(parts, 2);
  const timings::receiving r = of(s).receive;
  EXPECT_EQ(r.receive.count, 1U);
  EXPECT_EQ(r.receive.last, 12ms) << "from the first byte of the message, the handler of its first part included";
  EXPECT_EQ(r.confirm.last, 2ms);
}

TEST(timings, of_a_handler_that_throws_or_ends_the_connection_are_kept_until_its_end) {
  timed_loop l;
  timings at_close;
  l.handlers.message = [&](connection, const message&) {
    l.clock.advance(4ms);
    throw 7;
  };
  l.handlers.close = [&](connection c, close_code, std::string_view) { at_close = c.timings().value(); };
  const auto [s, peer] = l.open();
  l.put(peer, text_frame("x"));
  EXPECT_EQ(at_close.receive.confirm.last, 4ms);
}

// ---- t_send

TEST(timings, of_what_is_sent_are_prepare_and_send) {
  timed_loop l;
  l.handlers.message = [&](connection c, const message& m) {
    l.clock.advance(5ms);
    EXPECT_EQ(c.send(m), errc::ok);
  };
  const auto [s, peer] = l.open();
  l.driver().script.write_size = [&] {
    l.clock.advance(3ms);
    return std::size_t{100'000};
  };
  l.put(peer, text_frame("x"));
  const timings::sending t = of(s).send;
  EXPECT_EQ(t.prepare.last, 5ms);
  EXPECT_EQ(t.send.last, 3ms);
  EXPECT_EQ(t.send.count, 1U);
  EXPECT_FALSE(t.confirm.last) << "nothing proves that the peer has it";
  EXPECT_EQ(t.confirm.count, 0U);
  EXPECT_EQ(t.last(), 8ms);
}

TEST(timings, of_what_is_sent_begin_with_the_first_handler_when_several_messages_are_answered) {
  timed_loop l;
  l.handlers.message = [&](connection c, const message& m) {
    l.clock.advance(5ms);
    EXPECT_EQ(c.send(m), errc::ok);
  };
  const auto [s, peer] = l.open();
  l.put(peer, text_frame("x") + text_frame("y") + text_frame("z"));
  const timings::sending t = of(s).send;
  EXPECT_EQ(t.prepare.last, 15ms);
  EXPECT_EQ(t.send.last, 0ms);
  EXPECT_EQ(t.send.count, 1U) << "they left in one go";
  EXPECT_EQ(s->core().messages_out(), 3U);
}

TEST(timings, of_what_is_sent_without_a_message_begin_with_the_batch) {
  timed_loop l;
  const auto [s, peer] = l.open();
  l.clock.advance(1ms);
  l.turn();
  EXPECT_EQ(s->handle().send("out of the blue"), errc::ok);
  l.clock.advance(2ms);
  l.loop->post([&] { l.clock.advance(8ms); });
  l.turn();
  EXPECT_EQ(of(s).send.prepare.last, 8ms) << "the time of this batch was read when it began";
}

// The handler's time is its turn's, also when the turn ends with the connection.
TEST(timings, of_what_is_sent_know_nothing_of_a_handler_whose_connection_is_gone) {
  timed_loop l;
  l.handlers.message = [&](connection c, const message&) {
    l.clock.advance(5ms);
    EXPECT_EQ(c.terminate(), errc::ok);
  };
  const auto [gone, gone_peer] = l.open();
  const auto [s, peer] = l.open();
  l.put(gone_peer, text_frame("x"));
  l.clock.advance(60ms);
  l.turn();
  EXPECT_EQ(s->handle().send("of another turn"), errc::ok);
  l.turn();
  EXPECT_EQ(of(s).send.prepare.last, 0ms);
}

TEST(timings, of_what_waits_for_the_system_end_with_its_last_byte) {
  timed_loop l;
  const auto [s, peer] = l.open();
  l.driver().script.room = 1000;
  EXPECT_EQ(s->handle().send(as_bytes(std::string(2500, 'x'))), errc::ok);
  l.turn();
  EXPECT_EQ(of(s).send.send.count, 0U);
  l.clock.advance(30ms);
  EXPECT_EQ(s->handle().send("joins it"), errc::ok);
  std::size_t got = l.take(peer).size();
  EXPECT_EQ(of(s).send.send.count, 0U);
  l.clock.advance(10ms);
  got += l.take(peer).size();
  EXPECT_EQ(of(s).send.send.last, 40ms) << "the byte that matters is the last one of what was measured";
  got += l.take(peer).size();
  EXPECT_EQ(got, 4 + 2500 + 2 + 8U);
  EXPECT_EQ(of(s).send.send.count, 1U);
}

TEST(timings, of_what_is_sent_leave_control_frames_out) {
  timed_loop l;
  const auto [s, peer] = l.open();
  l.put(peer, text_of(frame_writer(role::client).ping("p").take()));
  EXPECT_EQ(s->handle().ping(), errc::ok);
  l.turn();
  EXPECT_EQ(of(s).send.send.count, 0U);
}

TEST(timings, of_what_is_sent_are_those_of_publications_too) {
  timed_loop l;
  l.handlers.connect = [](connection c, const handshake&) { EXPECT_EQ(c.subscribe("topic"), errc::ok); };
  l.handlers.message = [&](connection c, const message& m) {
    l.clock.advance(5ms);
    EXPECT_EQ(c.publish("topic", m), errc::ok);
  };
  const auto [from, from_peer] = l.open();
  const auto [to, to_peer] = l.open();
  l.driver().script.write_size = [&] {
    l.clock.advance(3ms);
    return std::size_t{100'000};
  };
  l.put(from_peer, text_frame("x"));
  EXPECT_EQ(of(from).send.send.count, 0U);
  EXPECT_EQ(of(to).send.send.count, 1U);
  EXPECT_EQ(of(to).send.prepare.last, 5ms);
  EXPECT_EQ(of(to).send.send.last, 3ms);
  EXPECT_EQ(to->handle().ping(), errc::ok);
  l.turn();
  EXPECT_EQ(of(to).send.send.count, 1U) << "what follows is no message";
  l.driver().script.room = 0;
  l.take(to_peer);
  l.put(from_peer, text_frame(std::string(300'000, 'x')));
  EXPECT_EQ(of(to).send.send.count, 1U) << "it waits for the system";
  l.clock.advance(50ms);
  l.driver().script.room = std::size_t{1} << 20;
  l.take(to_peer);
  EXPECT_EQ(of(to).send.send.count, 2U);
  EXPECT_GE(*of(to).send.send.last, 50ms);
}

// ---- t_error, a server's view

TEST(timings, of_an_error_are_detect_and_handle) {
  timed_loop l;
  timings in_handler;
  timings at_close;
  l.handlers.error = [&](connection c, const failure&) {
    l.clock.advance(6ms);
    in_handler = c.timings().value();
  };
  l.handlers.close = [&](connection c, close_code, std::string_view) { at_close = c.timings().value(); };
  const auto [s, peer] = l.open();
  l.put(peer, text_frame("alive"));
  l.clock.advance(700ms);
  l.driver().hang_up(peer, true);
  l.turn();
  EXPECT_EQ(in_handler.error.detect, 700ms);
  EXPECT_FALSE(in_handler.error.handle);
  EXPECT_EQ(at_close.error.detect, 700ms);
  EXPECT_EQ(at_close.error.handle, 6ms);
  EXPECT_FALSE(at_close.error.recover) << "a server does not connect again";
  EXPECT_EQ(at_close.error.total(), 706ms);
}

TEST(timings, of_a_clean_end_have_no_error) {
  timed_loop l;
  timings at_close;
  l.handlers.close = [&](connection c, close_code, std::string_view) { at_close = c.timings().value(); };
  const auto [s, peer] = l.open();
  l.clock.advance(700ms);
  l.put(peer, text_of(frame_writer(role::client).close(1000).take()));
  EXPECT_EQ(at_close.connect.request, 0ms);
  EXPECT_FALSE(at_close.error.detect);
  EXPECT_FALSE(at_close.error.total());
}

}  // namespace
}  // namespace hawser::test
