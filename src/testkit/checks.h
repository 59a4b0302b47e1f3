// What the kinds of checks share.
#pragma once

#include "testkit/line.h"

#include <hawser/core/negotiate.h>
#include <hawser/testkit/testkit.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

HAWSER_BEGIN
namespace testkit {

class joined;

/// Both sides' terms of one agreed configuration.
struct terms {
  core::agreement client;
  core::agreement server;
};

/// The work of one `run`.
class checker {
 public:
  checker(const any_factory& f, const options& how, report& out) : f_(f), how_(how), out_(out) {}

  void negotiate();    // negotiation_checks.cc
  void traffic();      // traffic_checks.cc
  void damage();       // damage_checks.cc
  void company();      // company_checks.cc
  void bounds();       // bound_checks.cc
  void connections();  // connection_checks.cc
  void pairs();
  /// Each group of checks begins with all of them to do.
  void begin_group() noexcept { gave_up_ = false; }

 private:
  /// An accepted offer: what the factory answered it with, both sides. Nothing when it was declined or something threw.
  std::optional<terms> agree(const params& offer) const;
  std::vector<core::agreed_extension> stages(core::agreement a) const;
  /// Offers that come to an agreement, so that there is something to run.
  std::vector<params> agreeable() const;

  std::optional<core::agreement> accept(const std::vector<params>& all, bool& threw) const;
  std::optional<core::agreement> confirm(const params& answer, bool& threw) const;

  void offers();
  void altered(const params& offer, const params& answer);
  void declined(const char* name, const params& bad, const params& good);
  void refused(const char* name, const params& bad);
  void preference();
  void random_offers();
  void whole_negotiation();
  void own_rows();

  void round_trips(const params& offer, std::size_t round);
  void honesty(const params& offer);
  void additions(const params& offer);
  void limits(const params& offer);
  void golden(const params& offer);
  void without_memory(const params& offer);
  void without_room(const params& offer);
  void in_want(const params& offer, const handling& how, const char* rule, const char* of_what);
  void closed_at_once(const params& offer);

  void cut_off(const params& offer, std::size_t round);
  void flipped(const params& offer, std::size_t round);
  void noise(const params& offer, std::size_t round);
  void look_for_damage(const std::vector<wire_item>& wire, const std::vector<std::string>& texts,
                       const std::vector<wire_item>& arrived, std::uint64_t seed);

  void beside(const params& offer, std::uint8_t key, bool app_side, role from);
  void limit_beside(const params& offer);

  void bomb(const params& offer);
  void nested_bomb(const params& offer, bool app_side);
  void judge_bomb(line& on, const char* name);
  void withheld(const params& offer);
  void storms(const params& offer);
  void idle(const params& offer);
  void commanded(const params& offer);
  std::vector<wire_item> own_frames(const params& offer, role from) const;
  bool command(const params& offer, role to, const wire_item& frame, bool used);

  void converse(std::vector<core::agreed_extension> client, std::vector<core::agreed_extension> server,
                std::uint64_t seed, bool inband);
  void priorities(std::vector<core::agreed_extension> client, std::vector<core::agreed_extension> server,
                  std::uint64_t seed);
  void look_at_end(joined& on, std::uint64_t seed, bool failed);
  bool pair(const extension_list& list, const std::string& other, std::uint64_t seed);

  /// A connection with the extension alone; both agreements are fresh.
  std::unique_ptr<line> connect(const params& offer, const handling& how, std::uint64_t seed) const;
  std::string content(seeded_random& random) const;
  void end_of(line& on, const char* name, std::uint64_t seed);
  void rest(bool restless, const meter& makes, const char* name, std::uint64_t seed);
  std::string seeded(std::uint64_t seed, const std::string& what) const;

  const any_factory& f_;
  const options& how_;
  report& out_;
  bool gave_up_ = false;  // A stage made too much: what is left of this group would take too long.
};

/// Shows bytes so that they fit into a line of a report.
std::string shown(std::string_view bytes);

/// Runs `call`; true when it threw.
bool throws(const std::function<void()>& call);

/// The opcode that `text` may be sent with: text only for UTF-8.
std::uint8_t opcode_for(std::string_view text, seeded_random& random);

}  // namespace testkit
HAWSER_END
