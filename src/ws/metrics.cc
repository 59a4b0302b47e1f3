#include <hawser/ws/metrics.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

HAWSER_BEGIN

// ---- histogram

void histogram::merge(const histogram& other) noexcept {
  for (std::size_t i = 0; i < bucket_count; ++i)
    buckets_[i] += other.buckets_[i];
  sum_ += other.sum_;
}

std::uint64_t histogram::count() const noexcept {
  std::uint64_t all = 0;
  for (const std::uint64_t n : buckets_)
    all += n;
  return all;
}

std::uint64_t histogram::at_most(ticks span) const noexcept {
  if (span.count() < 0) return 0;
  std::uint64_t all = 0;
  for (std::size_t i = 0; i + 1 < bucket_count && bound_of(i) <= static_cast<std::uint64_t>(span.count()); ++i)
    all += buckets_[i];
  return all;
}

ticks histogram::quantile(double share) const noexcept {
  const std::uint64_t all = count();
  if (all == 0) return {};
  const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(all));
  const std::uint64_t rank = std::max<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1);
  std::uint64_t seen = 0;
  std::size_t at = 0;
  while (at + 1 < bucket_count && (seen += buckets_[at]) < rank)
    ++at;
  return ticks(static_cast<ticks::rep>(bound_of(at)));
}

void timing_histograms::merge(const timing_histograms& other) noexcept {
  connect.names.merge(other.connect.names);
  connect.tcp.merge(other.connect.tcp);
  connect.request.merge(other.connect.request);
  connect.response.merge(other.connect.response);
  connect.acknowledge.merge(other.connect.acknowledge);
  receive.receive.merge(other.receive.receive);
  receive.prepare.merge(other.receive.prepare);
  receive.confirm.merge(other.receive.confirm);
  send.prepare.merge(other.send.prepare);
  send.send.merge(other.send.send);
  send.confirm.merge(other.send.confirm);
  error.detect.merge(other.error.detect);
  error.handle.merge(other.error.handle);
  error.recover.merge(other.error.recover);
}

void metric_counts::merge(const metric_counts& other) noexcept {
  connections += other.connections;
  opened += other.opened;
  not_opened += other.not_opened;
  for (std::size_t i = 0; i < closed.size(); ++i)
    closed[i] += other.closed[i];
  messages_received += other.messages_received;
  messages_sent += other.messages_sent;
  bytes_received += other.bytes_received;
  bytes_sent += other.bytes_sent;
}

void metrics::merge(const metrics& other) noexcept {
  metric_counts::merge(other);
  if (!other.times) return;
  if (times)
    times->merge(*other.times);
  else
    times = other.times;
}

// ---- Prometheus

namespace {

// As label values; by the number of the fault.
constexpr std::array<std::string_view, fault_count> ends{"clean", "caller", "peer",      "transport",
                                                         "limit", "closed", "cancelled", "internal"};
static_assert(!ends.back().empty());

// The bounds that are told: powers of four from about a microsecond to about a minute. The buckets meet them exactly.
constexpr unsigned first_bound = 10;
constexpr unsigned last_bound = 36;

// In nanoseconds; with every digit, whatever the locale.
std::string seconds(std::uint64_t ns) {
  std::string text = std::to_string(ns / 1'000'000'000);
  std::string rest = std::to_string(ns % 1'000'000'000);
  rest.insert(0, 9 - rest.size(), '0');
  rest.erase(rest.find_last_not_of('0') + 1);
  return rest.empty() ? text : text + "." + rest;
}

class exposition {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = "hawser_";
    name_ += name;
    text_.append("# HELP ").append(name_).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name_).append(" ").append(type).append("\n");
  }
  void sample(std::string_view suffix, std::string_view labels, std::string_view value) {
    text_.append(name_).append(suffix);
    if (!labels.empty()) text_.append("{").append(labels).append("}");
    text_.append(" ").append(value).append("\n");
  }
  void one(std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
    family(name, type, help);
    sample({}, {}, std::to_string(value));
  }
  void part(std::string_view part, const histogram& h) {
    const std::string label = "part=\"" + std::string(part) + "\"";
    for (unsigned power = first_bound; power <= last_bound; power += 2) {
      const std::uint64_t bound = std::uint64_t{1} << power;
      sample("_bucket", label + ",le=\"" + seconds(bound) + "\"",
             std::to_string(h.at_most(ticks(static_cast<ticks::rep>(bound)))));
    }
    const std::string all = std::to_string(h.count());
    sample("_bucket", label + ",le=\"+Inf\"", all);
    sample("_sum", label, seconds(static_cast<std::uint64_t>(h.sum().count())));
    sample("_count", label, all);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string name_;
};

void expose_counts(const metrics& m, exposition& to) {
  to.one("connections", "gauge", "Connections that are open, opening or closing.", m.connections);
  to.one("connections_opened_total", "counter", "Opening handshakes that succeeded.", m.opened);
  to.one("connections_not_opened_total", "counter",
         "Opening handshakes that were refused or failed, and pages that were asked for.", m.not_opened);
  to.family("connections_closed_total", "counter", "Connections that were open, by what ended them.");
  for (std::size_t i = 0; i < ends.size(); ++i)
    to.sample({}, "reason=\"" + std::string(ends[i]) + "\"", std::to_string(m.closed[i]));
  to.one("messages_received_total", "counter", "Messages received.", m.messages_received);
  to.one("messages_sent_total", "counter", "Messages sent.", m.messages_sent);
  to.one("received_bytes_total", "counter", "Bytes received on open connections, frames and all.", m.bytes_received);
  to.one("sent_bytes_total", "counter", "Bytes sent, as taken by the system.", m.bytes_sent);
}

void expose_times(const timing_histograms& t, exposition& to) {
  to.family("connect_seconds", "histogram", "Opening a connection; names and tcp are inside request.");
  to.part("names", t.connect.names);
  to.part("tcp", t.connect.tcp);
  to.part("request", t.connect.request);
  to.part("response", t.connect.response);
  to.part("acknowledge", t.connect.acknowledge);
  to.family("receive_seconds", "histogram", "Receiving a message, until its handler returned.");
  to.part("receive", t.receive.receive);
  to.part("prepare", t.receive.prepare);
  to.part("confirm", t.receive.confirm);
  to.family("send_seconds", "histogram", "Sending, until the last byte is in the kernel, then until proved.");
  to.part("prepare", t.send.prepare);
  to.part("send", t.send.send);
  to.part("confirm", t.send.confirm);
  to.family("error_seconds", "histogram", "An error, from the last sign of life until connected again.");
  to.part("detect", t.error.detect);
  to.part("handle", t.error.handle);
  to.part("recover", t.error.recover);
}

}  // namespace

std::string metrics::prometheus() const {
  exposition text;
  expose_counts(*this, text);
  if (times) expose_times(*times, text);
  return text.take();
}

HAWSER_END
