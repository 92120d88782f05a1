/*
 * adlab: an Active Directory domain for a test program: that of ctest's fixture where ADLAB_STATE says so,
 * otherwise one of its own. The lab is a folder beside the checkout, ../shared/lab/ad; its README tells the
 * users. A program that has it in its main() runs twice: first to start the lab, then inside of it, where
 * ADLAB_URI and the others are set and libwbclient finds winbindd. Tests leave the domain as it was.
 */
#ifndef TESTS_LIB_ADLAB_H
#define TESTS_LIB_ADLAB_H

#include <sys/types.h>

enum { ADLAB_SKIPPED = 77 }; /* what ctest takes for "skipped" */

#define ADLAB_PASSWORD "User-Passw0rd-1"

/* The whole main(): `run` inside the lab. Without a lab it says why and returns ADLAB_SKIPPED. */
int adlab_main(char *const argv[], int (*run)(void));
/* A variable of the lab. */
const char *adlab_get(const char *name);
/* "dc-down", "tool user disable bob" ... Fails the test when the lab does. */
void adlab_do(const char *command);
/* SIGSTOP or SIGCONT to the domain controller and its children. */
void adlab_signal_dc(int signal);

#endif
