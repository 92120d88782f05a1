/*
 * disk: the journal and the bodies of a node, simulated: the functions of journal.h and body.h that custody
 * calls are here. What is queued is lost with the process; of a batch that was being written any part may be
 * found afterwards; what is durable stays until the disk is lost.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "world.h"

struct disk_live {
	struct msg_id id;
	struct buf envelope, body;
};

struct journal *disk_open(struct worker *worker);
/* Calls custody_restore() for each live message, in the order of the ids. */
void disk_replay(struct worker *worker);
/* The process ends: what was being written may be there, what was queued is not. */
void disk_crash(struct worker *worker);
void disk_clear(struct disk *disk);
bool disk_has(const struct disk *disk, const struct msg_id *id);
/* All of a body in memory or in a file. */
struct span disk_body(const struct body *body);

#endif
