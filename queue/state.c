// state.c - the words for states and lanes: in the database, in commands, in the log.
#include <string.h>

#include "queue/queue.h"

static const char *const STATES[MESSAGE_STATE_COUNT] = {
    [MESSAGE_RECEIVED] = "received",     [MESSAGE_QUEUED] = "queued",
    [MESSAGE_SENDING] = "sending",       [MESSAGE_SENT] = "sent",
    [MESSAGE_FAILED] = "failed",         [MESSAGE_EXPIRED] = "expired",
    [MESSAGE_SUPERSEDED] = "superseded", [MESSAGE_CANCELLED] = "cancelled",
    [MESSAGE_UNKNOWN] = "unknown",       [MESSAGE_HELD] = "held",
    [MESSAGE_PARKED] = "parked",
};

static const char *const LANES[LANE_COUNT] = {
    [LANE_CODE] = "code", [LANE_NOTICE] = "notice", [LANE_BULK] = "bulk"};

static bool find(const char *const *words, int count, const char *word, int *ret_index)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

const char *message_state_name(enum message_state state)
{
    return STATES[state];
}

bool message_state_parse(const char *name, enum message_state *ret_state)
{
    int index;
    if (!find(STATES, MESSAGE_STATE_COUNT, name, &index))
        return false;
    *ret_state = (enum message_state)index;
    return true;
}

const char *lane_name(enum lane lane)
{
    return LANES[lane];
}

bool lane_parse(const char *name, enum lane *ret_lane)
{
    int index;
    if (!find(LANES, LANE_COUNT, name, &index))
        return false;
    *ret_lane = (enum lane)index;
    return true;
}
