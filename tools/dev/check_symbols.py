#!/usr/bin/env python3
"""Checks that the archive of a pure room wants no symbol of the operating system.

Catches what poisoned headers cannot: functions that were declared by hand, and a clock, a thread or a terminal behind
a standard header. Usage: check_symbols.py [--nm NM] [--filter] ARCHIVE...

With --filter it is a room between bytes and bytes that stands on OpenSSL: files, locks and OpenSSL's functions are for it,
all else is not, and neither is what OpenSSL has for sockets.
"""
import argparse
import re
import subprocess
import sys

FUNCTIONS = """
    socket socketpair connect accept accept4 bind listen shutdown getsockopt setsockopt getsockname getpeername
    recv recvfrom recvmsg recvmmsg send sendto sendmsg sendmmsg sendfile splice read readv pread write writev pwrite
    open open64 openat openat64 creat close dup dup2 dup3 pipe pipe2 fcntl fcntl64 ioctl mmap mmap64 munmap
    poll ppoll select pselect eventfd timerfd_create timerfd_settime signalfd inotify_init1
    getaddrinfo gethostbyname getnameinfo if_nametoindex fork vfork execve system waitpid kill signal sigaction
    clock_gettime clock_getres gettimeofday time clock nanosleep clock_nanosleep usleep sleep
    getrandom getentropy rand random srand srandom getenv secure_getenv syscall
    pthread_create pthread_mutex_lock pthread_mutex_unlock pthread_cond_wait pthread_cond_signal
    fopen fopen64 fclose fread fwrite printf fprintf vprintf vfprintf puts fputs putchar fputc perror exit _exit
    stdout stderr stdin
"""
FORBIDDEN = re.compile(
    "^(?:"
    + "|".join(FUNCTIONS.split())
    + r"|epoll_\w+|io_uring_\w+|SSL_\w+|RAND_\w+|BIO_\w+|dl(?:open|sym)"
    # The clocks, random_device, thread, mutex helpers and streams of libstdc++, by their mangled names.
    + r"|_ZNSt6chrono3_V21\d(?:steady|system)_clock3nowEv|_ZNSt13random_device\w+|_ZNSt6thread\w+"
    + r"|_ZNSt18condition_variable\w+|_ZSt(?:4cout|4cerr|4clog|3cin)|_ZNSt14basic_\w*fstream\w+|_ZNSt10filesystem\w+"
    + ")$"
)
FILTER = re.compile(r"^(?:pthread_mutex_\w+|_ZNSt10filesystem\w+|(?:SSL|BIO|RAND)_\w+)$")
OPENSSL_SOCKETS = re.compile(
    r"^(?:SSL_set_[rw]?fd|BIO_(?:s|new|do|set)_(?:fd|socket|dgram|connect|accept)\w*|BIO_(?:socket|connect|listen|bind|accept)\w*)$")
FORTIFIED = re.compile(r"^__(\w+)_chk$")


def wanted(nm, archive):
    """(object, symbol) of everything undefined, weak references aside: libstdc++ asks in that way for threads."""
    output = subprocess.run([nm, "-A", "-u", archive], check=True, capture_output=True, text=True).stdout
    for line in output.splitlines():
        where, _, rest = line.rpartition(": ") if ": " in line else line.rpartition(":")
        fields = rest.split()
        if len(fields) == 2 and fields[0] == "U":
            yield where.rstrip(":").split(":")[-1].strip(), fields[1].split("@")[0]


def refused(symbol, is_filter):
    fortified = FORTIFIED.match(symbol)
    symbol = fortified.group(1) if fortified else symbol
    if is_filter and FILTER.match(symbol):
        return OPENSSL_SOCKETS.match(symbol)
    return FORBIDDEN.match(symbol)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--filter", action="store_true")
    parser.add_argument("archives", nargs="+")
    arguments = parser.parse_args()
    bad = 0
    for archive in arguments.archives:
        for where, symbol in wanted(arguments.nm, archive):
            if refused(symbol, arguments.filter):
                kind = "a filter" if arguments.filter else "a pure room"
                print(f"{archive}: {where} wants {symbol}, which is not for {kind}", file=sys.stderr)
                bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
