// A server that runs until Ctrl-C, or the signal by which services are stopped.
#pragma once

#include <hawser/ws/server.h>

#include <csignal>
#include <thread>

namespace tutorial {

/// To be made before any thread is, so that all of them leave these signals to `run`.
class ctrl_c {
 public:
  ctrl_c() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  void run(hawser::server& server) const {
    std::thread loops([&] { server.run().value(); });
    int which = 0;
    sigwait(&signals_, &which);
    server.stop();
    loops.join();
  }

 private:
  sigset_t signals_{};
};

}  // namespace tutorial
