// A user's program: only the public headers, only the targets that the package exports.
#include <hawser/base/config.h>

#include <iostream>

int main() { std::cout << "hawser " << hawser::version() << '\n'; }
