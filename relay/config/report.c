#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/config/parts.h"

void config_report_add(struct config_report *report, bool fault, const char *where,
                       const char *format, ...)
{
    struct config_finding *longer =
        realloc(report->findings, (report->count + 1) * sizeof(*report->findings));
    if (!longer) {
        report->failed = true;
        return;
    }
    report->findings = longer;
    struct config_finding finding = {.fault = fault, .where = strdup(where)};
    va_list args;
    va_start(args, format);
    if (vasprintf(&finding.what, format, args) < 0)
        finding.what = NULL;
    va_end(args);
    if (!finding.where || !finding.what) {
        report->failed = true;
        free(finding.where);
        free(finding.what);
        return;
    }
    report->findings[report->count++] = finding;
}

bool config_report_has_fault(const struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->findings[i].fault)
            return true;
    return report->failed;
}

void config_report_finish(struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->findings[i].where);
        free(report->findings[i].what);
    }
    free(report->findings);
    *report = (struct config_report){0};
}

void setting_values_put(struct setting_values *values, int place, char *text, const char *where,
                        struct config_report *report)
{
    struct setting_value *value = &values->of[place];
    if (!text) {
        // Where nobody has said why, there was no memory; and a setting that was given must not
        // turn into its default, such as a queue's folder into an empty one beside it.
        value->faulty = true;
        report->failed = report->failed || !config_report_has_fault(report);
        return;
    }
    if (value->text) {
        config_report_add(report, true, where, "%s says it already", value->where);
        wipe_free(text);
        return;
    }
    value->text = text;
    value->where = strdup(where);
    if (!value->where)
        report->failed = true;
}

bool setting_values_want(const struct setting_values *values, int place)
{
    enum setting_part part = config_settings[place].part;
    switch (values->purpose) {
    case CONFIG_FOR_RELAY:
    case CONFIG_FOR_COMMAND:
        return true;
    case CONFIG_FOR_QUEUE:
        return part == PART_QUEUE;
    case CONFIG_FOR_HEALTH:
        return part == PART_LISTEN;
    case CONFIG_FOR_MAILS:
        return part == PART_MAIL || part == PART_NORMALISER;
    case CONFIG_FOR_TEMPLATES:
        return part == PART_MAIL;
    }
    return true;
}

const char *config_only_setting(enum config_purpose purpose)
{
    if (purpose == CONFIG_FOR_QUEUE)
        return "queue_dir";
    return purpose == CONFIG_FOR_HEALTH ? "listen" : NULL;
}

void setting_values_finish(struct setting_values *values)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        wipe_free(values->of[i].text);
        free(values->of[i].where);
    }
    *values = (struct setting_values){0};
}
