#include "run/confine.h"

#include "config/load.h"
#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights that are newer than some headers. */
#define ACCESS_TRUNCATE  (1ull << 14) /* since version 3 */
#define ACCESS_IOCTL_DEV (1ull << 15) /* since version 5 */

#define READ_FILE  LANDLOCK_ACCESS_FS_READ_FILE
#define READ       (READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_FILE (READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE)
#define WRITE                                                                                                \
	(READ | WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER)
/* What is handled and granted nowhere is given up: starting programs, making devices, sockets, links. */
#define HANDLED                                                                                              \
	(WRITE | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |  \
		LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | \
		ACCESS_IOCTL_DEV)

/* Version 1 forbids to rename from one folder to another, which the spool does. */
enum { ABI_MIN = 2 };

struct ruleset {
	int fd;
	uint64_t handled;
};

/* What libraries read: resolver, TLS, Kerberos, LDAP, names of hosts and users; how large the machine is. */
static const char *const system_places[] = { "/etc", "/usr", "/lib", "/lib32", "/lib64", "/proc",
	"/sys/devices/system", "/sys/fs/cgroup", "/var/lib/sss", "/dev/urandom", "/dev/random" };
/* These may be links to where some service keeps them. */
static const char *const system_files[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/krb5.conf",
	"/proc/self/exe" };
/* Where the environment says that libraries' files are; lists are separated by colons. */
static const char *const variables[] = { "KRB5_CONFIG", "KRB5_KTNAME", "OPENSSL_CONF", "SSL_CERT_FILE",
	"SSL_CERT_DIR", "LDAPCONF", "LDAPRC", "LD_LIBRARY_PATH" };

/* --- rules -------------------------------------------------------------------------------------- */

/* What is not there, or closed to us anyway, needs no rule. */
static void allow(const struct ruleset *ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access & ruleset->handled };
	struct stat stat;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return;
	if (fstat(rule.parent_fd, &stat) == 0 && !S_ISDIR(stat.st_mode))
		rule.allowed_access &= WRITE_FILE;
	CHECK(syscall(SYS_landlock_add_rule, ruleset->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0);
	close(rule.parent_fd);
}

static void allow_folder_of(const struct ruleset *ruleset, const char *file, uint64_t access)
{
	char *copy = mem_strndup(file, strlen(file));
	const char *folder = dirname(copy);

	allow(ruleset, strcmp(folder, "/") == 0 ? file : folder, access);
	mem_free(copy);
}

/*
 * The folder, as files are replaced by renaming others to their names; where the name is a link, that of the
 * file too.
 */
static void allow_file(const struct ruleset *ruleset, const char *file)
{
	char *real = realpath(file, NULL);

	allow_folder_of(ruleset, file, READ);
	if (real)
		allow_folder_of(ruleset, real, READ);
	free(real); /* the C library's */
}

/* As settings_file_fn. */
static void allow_setting(void *arg, const struct setting_row *row, const char *path, const char *file)
{
	(void)row;
	(void)path;
	allow_file(arg, file);
}

static void allow_variable(const struct ruleset *ruleset, const char *name)
{
	const char *value = getenv(name);
	char *copy, *rest, *part;

	if (!value)
		return;
	copy = rest = mem_strndup(value, strlen(value));
	while ((part = strsep(&rest, ":"))) {
		if (*part == '/')
			allow(ruleset, part, READ);
	}
	mem_free(copy);
}

/* The library's replay cache, see auth/kerberos.h. */
static void allow_replay_cache(const struct ruleset *ruleset)
{
	const char *dir = getenv("KRB5RCACHEDIR");

	allow(ruleset, dir ? dir : "/var/tmp", WRITE);
}

static void add_rules(const struct ruleset *ruleset, const struct settings *settings, const char *config_file)
{
	for (size_t i = 0; i < ARRAY_LEN(system_places); i++)
		allow(ruleset, system_places[i], READ);
	for (size_t i = 0; i < ARRAY_LEN(system_files); i++)
		allow_file(ruleset, system_files[i]);
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		allow_variable(ruleset, variables[i]);
	allow(ruleset, "/dev/null", WRITE_FILE);
	if (config_file)
		allow_file(ruleset, config_file);
	settings_each_file(settings, allow_setting, (void *)ruleset);
	if (*settings->auth.kerberos.keytab)
		allow_replay_cache(ruleset);
	if (*settings->log.file)
		allow_folder_of(ruleset, settings->log.file, WRITE);
	if (*settings->tracking.file == '/') {
		(void)mkdir(settings->tracking.file, 0750); /* who opens it tells what is wrong */
		allow(ruleset, settings->tracking.file, WRITE);
	}
	allow(ruleset, settings->node.spool, WRITE);
}

/* --- entering ----------------------------------------------------------------------------------- */

static uint64_t handled_by(long abi)
{
	uint64_t handled = HANDLED;

	if (abi < 3)
		handled &= ~ACCESS_TRUNCATE;
	if (abi < 5)
		handled &= ~ACCESS_IOCTL_DEV;
	return handled;
}

static enum err restrict_self(
	long abi, const struct settings *settings, const char *config_file, struct buf *why_out)
{
	struct ruleset ruleset = { .handled = handled_by(abi) };
	const struct landlock_ruleset_attr attr = { .handled_access_fs = ruleset.handled };
	enum err err = ERR_OK;

	ruleset.fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset.fd >= 0)
		add_rules(&ruleset, settings, config_file);
	if (ruleset.fd < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		syscall(SYS_landlock_restrict_self, ruleset.fd, 0)) {
		buf_printf(why_out, "node.confine: %s; \"off\" starts without\n", strerror(errno));
		err = ERR_IO;
	}
	if (ruleset.fd >= 0)
		close(ruleset.fd);
	return err;
}

enum err confine_enter(const struct settings *settings, const char *config_file,
	struct confine_state *state_out, struct buf *why_out)
{
	long abi;

	*state_out = (struct confine_state){ .why = "node.confine is off" };
	if (settings->node.confine == CONFINE_OFF)
		return ERR_OK;
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi >= ABI_MIN) {
		state_out->abi = (unsigned)abi;
		return restrict_self(abi, settings, config_file, why_out);
	}
	state_out->why =
		"this kernel has no Landlock, or an old one (Linux 5.19 or later, with landlock among its "
		"security modules)";
	if (settings->node.confine == CONFINE_AUTO)
		return ERR_OK;
	buf_printf(why_out, "node.confine: %s; auto starts without\n", state_out->why);
	return ERR_INVALID;
}
