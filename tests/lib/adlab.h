/*
 * adlab: an Active Directory domain for a test program: the one that is told (see the script tests/lib/adlab,
 * which makes it), otherwise one of its own. A program that has adlab_main() in its main()
 * runs twice: first to start the lab, then inside of it, where ADLAB_URI and the others are set and
 * libwbclient finds winbindd. Tests leave the domain as it was.
 */
#ifndef TESTS_LIB_ADLAB_H
#define TESTS_LIB_ADLAB_H

#define ADLAB_PASSWORD "User-Passw0rd-1"

/* The whole main(): `run` inside the lab. Without a lab it says why, and the exit code is ctest's for
 * "skipped". */
int adlab_main(char *const argv[], int (*run)(void));
/* A variable of the lab. */
const char *adlab_get(const char *name);
/* A command of the script: "hang", "tool user disable bob" ... Fails the test when it does. */
void adlab_do(const char *command);

#endif
