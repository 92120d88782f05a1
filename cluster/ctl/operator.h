/* operator: who does this, as the cluster remembers it. */
#ifndef CTL_OPERATOR_H
#define CTL_OPERATOR_H

enum { OPERATOR_MAX = 200 };

/* "user@host", NUL-terminated, without blanks. */
void operator_name(char name[OPERATOR_MAX + 1]);

#endif
