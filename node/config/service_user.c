#include "config/service_user.h"

#include "skein/proto/base/check.h"

#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

void service_user_become(const char *spool)
{
	const struct passwd *user;
	struct stat stat;

	if (geteuid() != 0 || lstat(spool, &stat) != 0 || !S_ISDIR(stat.st_mode) || stat.st_uid == 0)
		return;
	user = getpwuid(stat.st_uid);
	if (!user)
		return;
	/* Root may do all of that; half of it would tell what is not so. */
	CHECK(initgroups(user->pw_name, user->pw_gid) == 0);
	CHECK(setegid(user->pw_gid) == 0);
	CHECK(seteuid(user->pw_uid) == 0);
}

const char *service_user_name(void)
{
	const struct passwd *user = geteuid() != getuid() ? getpwuid(geteuid()) : NULL;

	return user ? user->pw_name : NULL;
}
