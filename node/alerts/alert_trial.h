/*
 * alert_trial: a test notice over one channel or all, asked for by skeinctl, and what came of it written to
 * Redis: JSON, an array with an object for each channel. All calls are for the loop's own thread.
 */
#ifndef NODE_ALERTS_ALERT_TRIAL_H
#define NODE_ALERTS_ALERT_TRIAL_H

#include "alerts/alert_post.h"

struct alert_trials;

struct alert_trials *alert_trials_new(const struct alert_post_options *options);
/* After the link's connection is freed. Sets the pointer to NULL. */
void alert_trials_free(struct alert_trials **trials);

/* `channel` "": all. What is one too many is answered so. */
void alert_trials_begin(struct alert_trials *trials, struct span id, struct span channel);

#endif
