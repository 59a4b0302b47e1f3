#pragma once
/// What a server process costs, read from /proc by somebody who only knows its pid.

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace bench {

/// Seconds of CPU since the process began.
struct cpu_sample {
  double threads = 0;  ///< all threads of the server, user and kernel, nanosecond clock
  double softirq = 0;  ///< ksoftirqd of the server's core: TCP work that the kernel put off
  double user = 0;     ///< user part of `threads`, clock ticks: good for a share, not for a figure
  double system = 0;   ///< kernel part of the same
};

class server_meter {
 public:
  /// `pid` 0 measures nothing. `core` is the one that the server is pinned to.
  server_meter(int pid, int core) : pid_(pid), softirq_pid_(pid == 0 ? 0 : find_softirq_thread(core)) {}

  [[nodiscard]] cpu_sample cpu() const {
    cpu_sample sample;
    if (pid_ == 0) return sample;
    std::error_code gone;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task", gone))
      sample.threads += run_seconds(task.path());
    if (softirq_pid_ != 0) sample.softirq = run_seconds("/proc/" + std::to_string(softirq_pid_));
    read_ticks(sample);
    return sample;
  }

  /// Resident bytes, counted page by page (VmRSS in `status` may lag by some dozens of pages).
  [[nodiscard]] std::uint64_t resident_bytes() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/smaps_rollup");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with("Rss:")) return std::stoull(line.substr(4)) * 1024;
    return 0;
  }

 private:
  static double run_seconds(const std::filesystem::path& task) {
    double nanoseconds = 0;
    std::ifstream(task / "schedstat") >> nanoseconds;
    return nanoseconds / 1e9;
  }

  static int find_softirq_thread(int core) {
    const std::string wanted = "ksoftirqd/" + std::to_string(core);
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
      std::string name;
      std::ifstream file(entry.path() / "comm");
      if (file && std::getline(file, name) && name == wanted) return std::stoi(entry.path().filename());
    }
    return 0;
  }

  // utime and stime are the 12th and 13th fields after the name, which may itself hold blanks and brackets.
  void read_ticks(cpu_sample& sample) const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
    std::string line;
    std::getline(file, line);
    const std::size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) return;
    unsigned long user = 0;
    unsigned long system = 0;
    if (std::sscanf(line.c_str() + name_end + 1, "%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%lu%lu", &user, &system) != 2)
      return;
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    sample.user = static_cast<double>(user) / ticks;
    sample.system = static_cast<double>(system) / ticks;
  }

  int pid_;
  int softirq_pid_;
};

}  // namespace bench
