/*
 * skeinctl doctor on the host of a node, with --config FILE: what the system allows, and what the spool lies
 * on.
 */
#include "config_file.h"
#include "doctor.h"
#include "human.h"
#include "skein/proto/base/alloc.h"
#include "stopwatch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/timex.h>
#include <unistd.h>

enum {
	DESCRIPTORS_BESIDE = 2000, /* of clients; docs/operations.md */
	CONNECTIONS_DEFAULT = 10000,
	BACKLOG = 1024,
	PORTS_FEW = 10000,
	SYNCS = 20,
	SYNC_BYTES = 4096,
	SYNC_SLOW_US = 10000,
	SYNC_BAD_US = 50000,
	FILE_TEXT_MAX = 4096,
};

#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xFF534D42
#endif
#define SMB2_MAGIC 0xFE534D42

/* The text of a small file of /proc, without its last newline; "" when it cannot be read. */
static void read_file(const char *path, char out[FILE_TEXT_MAX])
{
	FILE *file = fopen(path, "re");
	size_t len = file ? fread(out, 1, FILE_TEXT_MAX - 1, file) : 0;

	while (len && out[len - 1] == '\n')
		len--;
	out[len] = '\0';
	if (file)
		fclose(file);
}

static const char *setting(struct doctor *doctor, const char *path)
{
	return config_file_value(doctor->config, path, &doctor->arena);
}

/* --- limits --------------------------------------------------------------------------------------- */

/* The process id of a skeind that was started with this file, or 0. */
static long find_skeind(const struct doctor *doctor)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	long found = 0;

	while (proc && !found && (entry = readdir(proc))) {
		char path[300], text[FILE_TEXT_MAX];

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		read_file(path, text);
		if (strncmp(text, "skeind", 6) != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		read_file(path, text);
		/* Words end with a zero byte each. */
		for (size_t at = 0; at < FILE_TEXT_MAX && text[at] && !found; at += strlen(text + at) + 1)
			if (strcmp(text + at, doctor->config) == 0)
				found = strtol(entry->d_name, NULL, 10);
	}
	if (proc)
		closedir(proc);
	return found;
}

/* "Max open files            1024                 524288               files" */
static uint64_t descriptors_of(long pid)
{
	char path[64], text[FILE_TEXT_MAX];
	const char *line;
	unsigned long long soft, hard;

	snprintf(path, sizeof(path), "/proc/%ld/limits", pid);
	read_file(path, text);
	line = strstr(text, "Max open files");
	return line && sscanf(line, "Max open files %llu %llu", &soft, &hard) == 2 ? hard : 0;
}

static void check_descriptors(struct doctor *doctor)
{
	const char *text = setting(doctor, "limits.connections");
	uint64_t wanted = (text ? strtoull(text, NULL, 10) : CONNECTIONS_DEFAULT) + DESCRIPTORS_BESIDE;
	long pid = find_skeind(doctor);
	uint64_t limit = pid ? descriptors_of(pid) : 0;
	struct rlimit own;

	if (!limit && getrlimit(RLIMIT_NOFILE, &own) == 0)
		limit = own.rlim_max;
	doctor_tell(doctor, limit < wanted ? DOCTOR_WARN : DOCTOR_OK, "%llu %s, %llu wanted",
		(unsigned long long)limit,
		pid ? "for skeind" : "for this shell (skeind does not run with this file)",
		(unsigned long long)wanted);
	if (limit < wanted)
		doctor_cure(doctor, "LimitNOFILE=%llu in the service's unit, or a lower limits.connections",
			(unsigned long long)wanted);
}

static void check_backlog(struct doctor *doctor)
{
	char text[FILE_TEXT_MAX];
	uint64_t most;

	read_file("/proc/sys/net/core/somaxconn", text);
	most = strtoull(text, NULL, 10);
	doctor_tell(doctor, most < BACKLOG ? DOCTOR_WARN : DOCTOR_OK, "net.core.somaxconn is %llu",
		(unsigned long long)most);
	if (most < BACKLOG)
		doctor_cure(doctor,
			"sysctl net.core.somaxconn=4096: many clients that come at once are turned away");
}

static void check_ports(struct doctor *doctor)
{
	char text[FILE_TEXT_MAX];
	unsigned first = 0, last = 0;

	read_file("/proc/sys/net/ipv4/ip_local_port_range", text);
	if (sscanf(text, "%u %u", &first, &last) != 2)
		return;
	doctor_tell(doctor, last - first < PORTS_FEW ? DOCTOR_WARN : DOCTOR_OK,
		"%u to %u for outgoing connections", first, last);
	if (last - first < PORTS_FEW)
		doctor_cure(doctor, "sysctl net.ipv4.ip_local_port_range=\"32768 60999\"");
}

static void check_core(struct doctor *doctor)
{
	char text[FILE_TEXT_MAX];

	read_file("/proc/sys/kernel/core_pattern", text);
	if (text[0] != '|') {
		doctor_tell(
			doctor, DOCTOR_OK, "dumps go by RLIMIT_CORE, which a node with secrets sets to 0");
		return;
	}
	doctor_tell(doctor, DOCTOR_WARN,
		"core dumps are piped to a program, whatever RLIMIT_CORE says: secrets may be in them");
	doctor_cure(doctor,
		"kernel.core_pattern=core, or let that program keep nothing of skeind (Storage=none)");
}

static void check_time(struct doctor *doctor)
{
	struct timex state = { .modes = 0 };
	int result = adjtimex(&state);
	bool is_synced = result >= 0 && result != TIME_ERROR && !(state.status & STA_UNSYNC);

	doctor_tell(doctor, is_synced ? DOCTOR_OK : DOCTOR_WARN,
		is_synced ? "the kernel's clock is synchronised" : "nothing keeps the kernel's clock right");
	if (!is_synced)
		doctor_cure(doctor, "apt-get install chrony; timedatectl shows more");
}

/* --- the spool ------------------------------------------------------------------------------------ */

static const struct {
	unsigned long magic;
	const char *name;
	enum doctor_state state;
	const char *cure;
} file_systems[] = {
	{ EXT4_SUPER_MAGIC, "ext4", DOCTOR_OK, NULL },
	{ XFS_SUPER_MAGIC, "xfs", DOCTOR_OK, NULL },
	{ BTRFS_SUPER_MAGIC, "btrfs", DOCTOR_WARN,
		"each sync copies on write: ext4 or xfs, or chattr +C on the empty spool" },
	{ OVERLAYFS_SUPER_MAGIC, "overlay", DOCTOR_WARN, "a container's own layer: give the spool a volume" },
	{ TMPFS_MAGIC, "tmpfs", DOCTOR_FAIL, "memory is no disk: a crash loses the journal" },
	{ RAMFS_MAGIC, "ramfs", DOCTOR_FAIL, "memory is no disk: a crash loses the journal" },
	{ NFS_SUPER_MAGIC, "nfs", DOCTOR_FAIL,
		"a local disk: locks and syncs over a network are not to be trusted" },
	{ CIFS_SUPER_MAGIC, "cifs", DOCTOR_FAIL,
		"a local disk: locks and syncs over a network are not to be trusted" },
	{ SMB2_MAGIC, "smb2", DOCTOR_FAIL,
		"a local disk: locks and syncs over a network are not to be trusted" },
	{ FUSE_SUPER_MAGIC, "fuse", DOCTOR_WARN, "a local disk: nobody knows what a sync means here" },
};

static void check_spool(struct doctor *doctor)
{
	const char *spool = setting(doctor, "node.spool");
	struct statfs found;
	struct buf text = { 0 };
	size_t i = 0;

	if (!spool || statfs(spool, &found)) {
		doctor_tell(doctor, DOCTOR_SKIPPED, "the spool %s: %s", spool ? spool : "is not in this file",
			spool ? strerror(errno) : "node.spool");
		return;
	}
	while (i < ARRAY_LEN(file_systems) && file_systems[i].magic != (unsigned long)found.f_type)
		i++;
	human_bytes(&text, (uint64_t)found.f_bavail * (uint64_t)found.f_bsize);
	if (i == ARRAY_LEN(file_systems))
		doctor_tell(doctor, DOCTOR_OK, "%s: a file system that is not known here (0x%lx), %.*s free",
			spool, (unsigned long)found.f_type, SPAN_ARGS(buf_span(&text)));
	else
		doctor_tell(doctor, file_systems[i].state, "%s: %s, %.*s free", spool, file_systems[i].name,
			SPAN_ARGS(buf_span(&text)));
	if (i < ARRAY_LEN(file_systems) && file_systems[i].cure)
		doctor_cure(doctor, "%s", file_systems[i].cure);
	if (found.f_files && found.f_ffree < found.f_files / 20) {
		doctor_tell(doctor, DOCTOR_WARN, "%s: fewer than one of twenty inodes is free", spool);
		doctor_cure(doctor, "each long message is a file: remove others, or make the file system "
				    "with more inodes");
	}
	buf_fini(&text);
}

/* The median of some syncs of what was written over and over, as a journal does it; 0: it cannot be written.
 */
static uint64_t measure_sync(int fd)
{
	static const char block[SYNC_BYTES];
	uint64_t took_us[SYNCS];

	for (size_t i = 0; i < SYNCS; i++) {
		uint64_t start_us = stopwatch_us();

		if (pwrite(fd, block, sizeof(block), 0) != (ssize_t)sizeof(block) || fdatasync(fd))
			return 0;
		took_us[i] = stopwatch_us() - start_us;
	}
	stopwatch_sort(took_us, SYNCS);
	return took_us[SYNCS / 2] ? took_us[SYNCS / 2] : 1;
}

static void check_sync(struct doctor *doctor)
{
	const char *spool = setting(doctor, "node.spool");
	int fd = spool ? open(spool, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
	uint64_t median_us = fd >= 0 ? measure_sync(fd) : 0;
	enum doctor_state state = DOCTOR_OK;

	if (fd >= 0)
		close(fd);
	if (!median_us) {
		doctor_tell(doctor, DOCTOR_SKIPPED, "nothing can be written in the spool from here: %s",
			strerror(errno));
		return;
	}
	if (median_us > SYNC_SLOW_US)
		state = median_us > SYNC_BAD_US ? DOCTOR_FAIL : DOCTOR_WARN;
	doctor_tell(doctor, state, "%d syncs of %d bytes: median %.2f ms", SYNCS, SYNC_BYTES,
		(double)median_us / 1000);
	if (state != DOCTOR_OK)
		doctor_cure(doctor, "each 250 waits for one: an SSD with power-loss protection, or a "
				    "controller with a battery");
}

static const struct doctor_check checks[] = {
	{ "descriptors", check_descriptors },
	{ "backlog", check_backlog },
	{ "ports", check_ports },
	{ "core dumps", check_core },
	{ "time", check_time },
	{ "spool", check_spool },
	{ "sync", check_sync },
};

const struct doctor_group doctor_host = { "host", DOCTOR_NEEDS_CONFIG, checks, ARRAY_LEN(checks) };
