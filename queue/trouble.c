#include "queue/trouble.h"

#include <stddef.h>

enum {
    PAUSE_FIRST_MS = 1000,
    PAUSE_MAX_MS = 30 * 1000,
    CALM_MS = 60 * 1000, // trouble that comes after so long is new
    TELL_MS = 60 * 1000, // no more often
};

void trouble_init(struct trouble *trouble, void (*tell)(void *context, const struct error *err),
                  void *context, int64_t now_ms)
{
    *trouble = (struct trouble){.tell = tell,
                                .context = context,
                                .told_at_ms = now_ms - TELL_MS,
                                .over_at_ms = now_ms - CALM_MS};
}

void trouble_begin(struct trouble *trouble, const struct error *err, int64_t now_ms)
{
    if (trouble->is_on)
        return;
    if (now_ms >= trouble->over_at_ms + CALM_MS)
        trouble->pause_ms = PAUSE_FIRST_MS;
    else
        trouble->pause_ms =
            trouble->pause_ms < PAUSE_MAX_MS / 2 ? trouble->pause_ms * 2 : PAUSE_MAX_MS;
    trouble->is_on = true;
    trouble->err = *err;
    trouble_tick(trouble, now_ms);
}

void trouble_end(struct trouble *trouble, int64_t now_ms)
{
    if (!trouble->is_on)
        return;
    trouble->is_on = false;
    trouble->over_at_ms = now_ms;
    if (trouble->is_told && trouble->tell)
        trouble->tell(trouble->context, NULL);
    trouble->is_told = false;
}

void trouble_tick(struct trouble *trouble, int64_t now_ms)
{
    if (!trouble->is_on || trouble->is_told || now_ms < trouble->told_at_ms + TELL_MS)
        return;
    trouble->is_told = true;
    trouble->told_at_ms = now_ms;
    if (trouble->tell)
        trouble->tell(trouble->context, &trouble->err);
}
