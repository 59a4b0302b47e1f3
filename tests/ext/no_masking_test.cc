// The shipped no-masking: its negotiation on secure and open paths. That frames are not masked is core's to prove.
#include <gtest/gtest.h>
#include <hawser/core/negotiate.h>
#include <hawser/ext/message_extension.h>
#include <hawser/ext/no_masking.h>
#include <hawser/testkit/testkit.h>

namespace hawser {
namespace {

using core::conditions;

extension_list just() {
  extension_list list;
  list.add(ext::no_masking());
  return list;
}

/// What a server answers; "!" and the error when it refuses.
std::string answered(std::string_view offer, bool secure) {
  std::string why;
  const auto n = core::answer_extensions(offer, just(), conditions{role::server, secure}, why);
  return n ? n->header : "!" + why;
}

TEST(no_masking, passes_the_kit) {
  testkit::options how;
  how.negotiation = {{role::server, "no-masking", "no-masking", false},
                     {role::server, "no-masking; now", "", false},
                     {role::server, "no-masking; a, no-masking", "no-masking", false},
                     {role::client, "no-masking; now", "", true},
                     {role::client, "No-Masking", "", true}};
  const testkit::report r = testkit::run(ext::no_masking(), how);
  EXPECT_TRUE(r.passed()) << r.text();
}

TEST(no_masking, a_client_offers_it_on_a_secure_path_only_F_08) {
  EXPECT_EQ(core::offer_extensions(just(), {role::client, true}), "no-masking");
  EXPECT_EQ(core::offer_extensions(just(), {role::client, false}), "");

  extension_list two = just();
  two.add(ext::message_extension("x-other").encode([](byte_span) {}).decode([](byte_span) {}));
  EXPECT_EQ(core::offer_extensions(two, {role::client, false}), "x-other");
}

TEST(no_masking, a_server_on_an_open_path_declines_it_F_08) {
  EXPECT_EQ(answered("no-masking", true), "no-masking");
  EXPECT_EQ(answered("no-masking", false), "");
}

TEST(no_masking, a_server_that_agrees_unasked_on_an_open_path_is_refused_N_08) {
  std::string why;
  const auto open = core::confirm_extensions("no-masking", just(), {role::client, false}, why);
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error(), errc::extension_not_offered);
  const auto secure = core::confirm_extensions("no-masking", just(), {role::client, true}, why);
  ASSERT_TRUE(secure) << why;
  EXPECT_TRUE(secure->agreed[0].terms.uses.unmasked);
}

TEST(no_masking, a_client_that_requires_it_on_an_open_path_says_what_is_missing_N_20) {
  extension_list list;
  list.require(ext::no_masking());
  std::string why;
  const auto n = core::confirm_extensions("", list, {role::client, false}, why);
  ASSERT_FALSE(n);
  EXPECT_EQ(n.error(), errc::extension_missing);
  EXPECT_NE(why.find("no-masking"), std::string::npos);
}

}  // namespace
}  // namespace hawser
