// Writing an extension. A factory negotiates and makes a stage; a stage, core/stage.h, sees the messages of one
// connection. docs/extensions.md is the overview, docs/tutorial.md writes one from nothing.
#pragma once

#include <hawser/core/extension_header.h>
#include <hawser/core/stage.h>
#include <hawser/core/stage_table.h>

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

HAWSER_BEGIN

/// What a factory agreed to: the parameters of the answer, what they make the stage use, and the stage itself.
template <class S>
struct accepted {
  params response;  ///< What a server answers. Of no use at a client.
  claims uses;      ///< What the stage uses of frames and messages.
  S work;           ///< The stage of this connection.
};

namespace detail {
template <class T>
inline constexpr bool is_accepted_option = false;
template <stage S>
inline constexpr bool is_accepted_option<std::optional<accepted<S>>> = true;
template <>
inline constexpr bool is_accepted_option<std::optional<core::agreement>> = true;

template <class F>
concept accepts = requires(const F& f, const std::vector<params>& all) {
  requires is_accepted_option<decltype(f.accept(all))>;
};
template <class F>
concept accepts_in_words = requires(const F& f, const std::vector<params>& all, std::string& why) {
  requires is_accepted_option<decltype(f.accept(all, why))>;
};
// Whether there is any member `accept`, overloaded, a template or private as it may be: in a class with another one
// beside it the name is ambiguous. One that does not fit is not passed over, but does not compile.
struct another_accept {
  int accept;
};
template <class F>
struct beside_another : F, another_accept {};
template <class F>
concept shows_accept = requires {
  &F::accept;
};
template <class F>
consteval bool names_accept() {
  if constexpr (std::is_final_v<F>)
    return shows_accept<F>;
  else
    return !shows_accept<beside_another<F>>;
}
template <class F>
concept confirms = requires(const F& f, const params& answer) {
  requires is_accepted_option<decltype(f.confirm(answer))>;
};
template <class F>
concept confirms_in_words = requires(const F& f, const params& answer, std::string& why) {
  requires is_accepted_option<decltype(f.confirm(answer, why))>;
};
}  // namespace detail

/// An extension. A factory is immutable, shared by all connections and loops, and called from several threads at once:
///
///   name()                              its token on the wire (N-14: use a private name such as "x-..." or register)
///   std::vector<params> offers()        client: one or more alternatives, best first; parameters only
///   optional<accepted<S>> confirm(const params&)
///                                       client: the answer; nullopt fails the handshake (P-12)
///                                       server without `accept`: an offer; the first that is taken is answered
///   optional<accepted<S>> accept(const std::vector<params>&)
///                                       optional: server: all offers of this name, in order, doubles kept; nullopt
///                                       declines
///   static constexpr bool secure_only   optional: true: a client offers it on TLS and loopback only
///
/// A throw declines (server) or fails the handshake (client). `accept` and `confirm` may take a `std::string& why`
/// behind that: what they put there when they say no, a few words such as "level is over 9", is for people, in
/// `handshake::extension_notes` and in errors. One whose stage is made at run time answers `optional<core::agreement>`.
template <class F>
concept factory = requires(const F& f) {
  { f.name() } -> std::convertible_to<std::string_view>;
  { f.offers() } -> std::convertible_to<std::vector<params>>;
}
&&(detail::accepts<F> || detail::accepts_in_words<F> || !detail::names_accept<F>()) &&
    (detail::confirms<F> || detail::confirms_in_words<F>)&&std::copy_constructible<F>;

/// Any factory, erased. Copies share it.
class any_factory {
 public:
  /// Takes a factory of any type. Throws what its copy throws.
  // A copy is no factory to be erased; to ask whether it is one would ask whether it can be copied, without end.
  template <class F>
  requires(!std::same_as<F, any_factory> && factory<F>) any_factory(F from)
      : self_(std::make_shared<model<F>>(std::move(from))) {}

  [[nodiscard]] std::string_view name() const noexcept { return self_->name(); }  ///< Its token on the wire.
  [[nodiscard]] std::vector<params> offers() const { return self_->offers(); }    ///< What a client offers, best first.
  /// True when it is not to be offered on a path that is neither TLS nor loopback.
  [[nodiscard]] bool secure_only() const noexcept { return self_->secure_only(); }
  /// What a server agrees to, and a client makes of the answer, or nothing: see `factory`.
  [[nodiscard]] std::optional<core::agreement> accept(const std::vector<params>& all) const {
    std::string why;
    return self_->accept(all, why);
  }
  [[nodiscard]] std::optional<core::agreement> confirm(const params& answer) const {
    std::string why;
    return self_->confirm(answer, why);
  }
  /// The same; with nothing, `why` gets the factory's words, if it has any.
  [[nodiscard]] std::optional<core::agreement> accept(const std::vector<params>& all, std::string& why) const {
    return self_->accept(all, why);
  }
  [[nodiscard]] std::optional<core::agreement> confirm(const params& answer, std::string& why) const {
    return self_->confirm(answer, why);
  }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual std::string_view name() const noexcept = 0;
    virtual std::vector<params> offers() const = 0;
    virtual bool secure_only() const noexcept = 0;
    virtual std::optional<core::agreement> accept(const std::vector<params>& all, std::string& why) const = 0;
    virtual std::optional<core::agreement> confirm(const params& answer, std::string& why) const = 0;
  };
  template <class F>
  struct model final : interface {
    explicit model(F from) : f_(std::move(from)), name_(f_.name()) {}
    std::string_view name() const noexcept override { return name_; }
    std::vector<params> offers() const override { return f_.offers(); }
    bool secure_only() const noexcept override {
      if constexpr (requires {
                      { F::secure_only } -> std::convertible_to<bool>;
                    })
        return F::secure_only;
      return false;
    }
    std::optional<core::agreement> accept(const std::vector<params>& all, std::string& why) const override {
      if constexpr (detail::accepts_in_words<F>) {
        return erase(f_.accept(all, why));
      } else if constexpr (detail::accepts<F>) {
        return erase(f_.accept(all));
      } else {
        for (const params& offer : all)
          if (std::optional<core::agreement> agreed = confirm(offer, why)) return agreed;
        return std::nullopt;
      }
    }
    std::optional<core::agreement> confirm(const params& answer, std::string& why) const override {
      if constexpr (detail::confirms_in_words<F>)
        return erase(f_.confirm(answer, why));
      else
        return erase(f_.confirm(answer));
    }
    static std::optional<core::agreement> erase(std::optional<core::agreement> a) { return a; }
    template <class A>
    static std::optional<core::agreement> erase(std::optional<A> a) {
      if (!a) return std::nullopt;
      return core::agreement{std::move(a->response), a->uses, core::any_stage::of(std::move(a->work))};
    }
    F f_;
    std::string name_;
  };

  // Shared: every connection of a server negotiates with the same factory object, on any loop.
  std::shared_ptr<const interface> self_;
};

/// The extensions of a client or server, in order of preference. With a name among them that is not a token the client
/// does not start and the server does not listen: `errc::invalid_extension`.
class extension_list {
 public:
  /// Adds one behind the others. A second one of the same name is an alternative that is asked when the first declines,
  /// or cannot work beside the others. Alternatives must differ in their parameters: nothing else tells a client which
  /// of them the server chose.
  extension_list& add(any_factory f) {
    list_.push_back(std::move(f));
    return *this;
  }
  /// Adds one that must be agreed on: a client closes with 1010 when the server declines it (N-20), a server refuses
  /// the handshake with 400 when the client does not offer it or it cannot be agreed (N-21). With several of one name
  /// any of them will do.
  extension_list& require(any_factory f) {
    required_.emplace_back(f.name());
    return add(std::move(f));
  }
  /// In order of preference.
  [[nodiscard]] const std::vector<any_factory>& all() const& noexcept HAWSER_LIFETIME_BOUND { return list_; }
  /// The names that must be agreed on; one may occur twice.
  [[nodiscard]] const std::vector<std::string>& required() const& noexcept HAWSER_LIFETIME_BOUND { return required_; }
  [[nodiscard]] bool empty() const noexcept { return list_.empty(); }  ///< True when there is none.

 private:
  std::vector<any_factory> list_;
  std::vector<std::string> required_;
};

HAWSER_END
