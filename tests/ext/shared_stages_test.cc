// The shipped extensions that keep nothing between messages cost a connection that waits nothing: each can be copied
// and compared without an exception, and needs no `open`.
#include <gtest/gtest.h>
#include <hawser/core/negotiate.h>
#include <hawser/core/pipeline.h>
#include <hawser/ext/checksum.h>
#include <hawser/ext/deflate.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ext/no_masking.h>
#include <hawser/ext/priority.h>
#include <hawser/ext/trace.h>
#include <hawser/ext/zstd.h>

#include <string>
#include <utility>

namespace hawser {
namespace {

bool shared(any_factory f) {
  extension_list list;
  list.add(std::move(f));
  const core::conditions at{role::server, true};
  std::string why;
  auto answer = core::answer_extensions(core::offer_extensions(list, {role::client, true}), list, at, why);
  EXPECT_TRUE(answer && answer->agreed.size() == 1) << why;
  return answer && core::can_be_shared(answer->agreed);
}

TEST(shared_stages, those_that_keep_nothing) {
  EXPECT_TRUE(shared(ext::checksum()));
  EXPECT_TRUE(shared(ext::deflate()));
  EXPECT_TRUE(shared(ext::no_masking()));
  EXPECT_TRUE(shared(ext::trace()));
  EXPECT_TRUE(shared(ext::message_extension("x-turn", rsv::two).encode([](byte_span) {}).decode([](byte_span) {})));
  if (!ext::zstd().offers().empty()) {  // Built with it.
    EXPECT_TRUE(shared(ext::zstd()));
  }
}

TEST(shared_stages, not_those_that_keep_something_or_work_on_frames) {
  EXPECT_FALSE(shared(ext::deflate(ext::deflate_preset::balanced)));
  EXPECT_FALSE(shared(ext::priority()));
}

}  // namespace
}  // namespace hawser
