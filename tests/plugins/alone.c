// The header of the boundary needs no other, in C and in C++.
#include <hawser/plugin.h>
