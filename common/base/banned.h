/*
 * banned.h - functions that have no safe use here. Include it last.
 *
 * Unbounded string calls, calls that hide failure (atoi) or hidden global
 * state, and the shell. The message of the compiler names the function.
 */
#ifndef COMMON_BASE_BANNED_H
#define COMMON_BASE_BANNED_H

#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf
#undef alloca
#undef strdupa
#undef strncpy
#undef strncat
#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat gets strtok tmpnam mktemp tempnam
#pragma GCC poison atoi atol atoll atof system popen alloca strdupa rand srand setjmp longjmp

#endif
