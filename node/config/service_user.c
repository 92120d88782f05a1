#include "config/service_user.h"

#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

bool service_user_become(const char *spool)
{
	const struct passwd *user;
	struct stat stat;

	if (geteuid() != 0 || lstat(spool, &stat) != 0 || !S_ISDIR(stat.st_mode) || stat.st_uid == 0)
		return false;
	user = getpwuid(stat.st_uid);
	return user && initgroups(user->pw_name, user->pw_gid) == 0 && setegid(user->pw_gid) == 0 &&
	       seteuid(user->pw_uid) == 0;
}

const char *service_user_name(void)
{
	const struct passwd *user = geteuid() != getuid() ? getpwuid(geteuid()) : NULL;

	return user ? user->pw_name : NULL;
}
