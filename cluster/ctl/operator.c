#include "operator.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Behind sudo it is still known who. */
static const char *user_name(void)
{
	const char *user = getenv("SUDO_USER");
	const struct passwd *entry;

	if (!user || !*user)
		user = getenv("USER");
	if (user && *user)
		return user;
	entry = getpwuid(getuid());
	return entry ? entry->pw_name : "unknown";
}

void operator_name(char name[OPERATOR_MAX + 1])
{
	char host[128] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(name, OPERATOR_MAX + 1, "%.99s@%.100s", user_name(), *host ? host : "unknown");
	for (char *c = name; *c; c++)
		if (*c > 0 && *c <= ' ')
			*c = '_';
}
