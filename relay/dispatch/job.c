#include "relay/dispatch/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job *job_create(const char *id, const char *route, const void *body, size_t body_size)
{
    struct job *job = calloc(1, sizeof(*job));
    char *copy = malloc(body_size + 1);
    if (!job || !copy) {
        free(job);
        free(copy);
        return NULL;
    }
    if (body_size)
        memcpy(copy, body, body_size);
    copy[body_size] = '\0';
    job->body = copy;
    job->body_size = body_size;
    snprintf(job->id, sizeof(job->id), "%s", id);
    snprintf(job->route, sizeof(job->route), "%s", route ? route : "");
    job->delivery.id = job->id;
    job->delivery.mark = -1;
    return job;
}

void job_set_trace(struct job *job, const char *trace_id)
{
    snprintf(job->trace_id, sizeof(job->trace_id), "%s", trace_id ? trace_id : "");
}

const char *job_trace(const struct job *job)
{
    return job->trace_id[0] ? job->trace_id : NULL;
}

static void wipe(char *text, size_t size)
{
    if (text)
        explicit_bzero(text, size);
    free(text);
}

void job_destroy(struct job *job)
{
    if (!job)
        return;
    wipe(job->body, job->body_size);
    wipe(job->canonical, job->canonical_size);
    wipe(job->mime, job->delivery.message_size);
    wipe(job->mask, job->delivery.mask_size);
    free(job);
}

// A UUIDv7 ends in random bits, so its last characters spread well.
static size_t bucket_of(const char *id)
{
    size_t hash = 5381;
    for (size_t length = strlen(id), i = length > 8 ? length - 8 : 0; i < length; i++)
        hash = hash * 33 + (unsigned char)id[i];
    return hash % JOB_BUCKETS;
}

void job_table_add(struct job_table *table, struct job *job)
{
    struct job **bucket = &table->buckets[bucket_of(job->id)];
    job->bucket_next = *bucket;
    *bucket = job;
    job->list_next = table->all;
    job->list_link = &table->all;
    if (table->all)
        table->all->list_link = &job->list_next;
    table->all = job;
    table->count++;
}

static void leave_ready(struct job *job)
{
    if (job->state != JOB_READY)
        return;
    *job->ready_link = job->ready_next;
    if (job->ready_next)
        job->ready_next->ready_link = job->ready_link;
}

void job_table_move(struct job_table *table, struct job *job, enum job_state state)
{
    leave_ready(job);
    job->state = state;
    if (state == JOB_READY) {
        job->ready_next = table->ready;
        job->ready_link = &table->ready;
        if (table->ready)
            table->ready->ready_link = &job->ready_next;
        table->ready = job;
    }
}

void job_table_remove(struct job_table *table, struct job *job)
{
    leave_ready(job);
    struct job **link = &table->buckets[bucket_of(job->id)];
    while (*link != job)
        link = &(*link)->bucket_next;
    *link = job->bucket_next;
    *job->list_link = job->list_next;
    if (job->list_next)
        job->list_next->list_link = job->list_link;
    table->count--;
}

struct job *job_table_find(const struct job_table *table, const char *id)
{
    struct job *job = table->buckets[bucket_of(id)];
    while (job && strcmp(job->id, id) != 0)
        job = job->bucket_next;
    return job;
}
