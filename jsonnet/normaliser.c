#include "jsonnet/normaliser.h"

#include <libjsonnet.h>
#include <libjsonnet_fmt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "jsonnet/complaint.h"
#include "jsonnet/payload.h"
#include "jsonnet/program.h"
#include "jsonnet/std_additions.h"
#include "jsonnet/table.h"

// An evaluation grows by some bytes a payload; a new one costs 15 ms, so it comes seldom.
#define PAYLOADS_PER_EVALUATION 100000

struct evaluation {
    struct JsonnetVm *vm;
    const struct normaliser_io *io;
    json_t **tables;    // one a normaliser; NULL: that one is a function
    struct error fault; // what is wrong with one that is to be a table; no message: nothing is
    json_t *document;   // what next() gave last
    size_t turn;        // and the number of the normaliser that it is for
    bool in_payload;    // not emitted yet
    bool ended;         // next() gave NULL
    int payloads;
};

static struct JsonnetJsonValue *to_jsonnet(struct JsonnetVm *vm, json_t *value)
{
    if (json_is_string(value))
        return jsonnet_json_make_string(vm, json_string_value(value));
    if (json_is_number(value))
        return jsonnet_json_make_number(vm, json_number_value(value));
    if (json_is_boolean(value))
        return jsonnet_json_make_bool(vm, json_is_true(value));
    if (json_is_array(value)) {
        struct JsonnetJsonValue *array = jsonnet_json_make_array(vm);
        for (size_t i = 0; i < json_array_size(value); i++)
            jsonnet_json_array_append(vm, array, to_jsonnet(vm, json_array_get(value, i)));
        return array;
    }
    if (json_is_object(value)) {
        struct JsonnetJsonValue *object = jsonnet_json_make_object(vm);
        const char *key;
        json_t *member;
        json_object_foreach(value, key, member)
            jsonnet_json_object_append(vm, object, key, to_jsonnet(vm, member));
        return object;
    }
    return jsonnet_json_make_null(vm);
}

static struct JsonnetJsonValue *fail(struct JsonnetVm *vm, const char *message, int *ret_success)
{
    *ret_success = 0;
    return jsonnet_json_make_string(vm, message);
}

// What the natives that take paths share. pick gives a new reference or NULL; count is how many
// arguments it takes.
static struct JsonnetJsonValue *look_up(struct evaluation *evaluation,
                                        const struct JsonnetJsonValue *const *args, size_t count,
                                        json_t *(*pick)(json_t *document, const char *const *paths),
                                        int *ret_success)
{
    const char *paths[2] = {NULL};
    for (size_t i = 0; i < count; i++) {
        paths[i] = jsonnet_json_extract_string(evaluation->vm, args[i]);
        if (!paths[i])
            return fail(evaluation->vm, "paths must be a string", ret_success);
    }
    json_auto_t *value = evaluation->document ? pick(evaluation->document, paths) : NULL;
    *ret_success = 1;
    return to_jsonnet(evaluation->vm, value);
}

static json_t *pick_at(json_t *document, const char *const *paths)
{
    return json_incref(payload_at(document, paths[0]));
}

static json_t *pick_number(json_t *document, const char *const *paths)
{
    return json_incref(payload_number(document, paths[0]));
}

static json_t *pick_text(json_t *document, const char *const *paths)
{
    return payload_text(document, "", paths[0], 0);
}

static json_t *pick_text_in(json_t *document, const char *const *paths)
{
    return payload_text(document, paths[0], paths[1], 0);
}

static json_t *pick_texts_in(json_t *document, const char *const *paths)
{
    return payload_texts(document, paths[0], paths[1]);
}

#define NATIVE(name, count)                                                                        \
    static struct JsonnetJsonValue *native_##name(                                                 \
        void *context, const struct JsonnetJsonValue *const *args, int *ret_success)               \
    {                                                                                              \
        return look_up(context, args, count, pick_##name, ret_success);                            \
    }
NATIVE(at, 1)
NATIVE(number, 1)
NATIVE(text, 1)
NATIVE(text_in, 2)
NATIVE(texts_in, 2)

static struct JsonnetJsonValue *
native_payload(void *context, const struct JsonnetJsonValue *const *args, int *ret_success)
{
    (void)args;
    struct evaluation *evaluation = context;
    *ret_success = 1;
    return to_jsonnet(evaluation->vm, evaluation->document);
}

static void take_next(struct evaluation *evaluation)
{
    evaluation->document = evaluation->io->next(evaluation->io->context, &evaluation->turn);
    evaluation->in_payload = evaluation->document;
    evaluation->ended = !evaluation->document;
}

static void emit(struct evaluation *evaluation, json_t *result)
{
    evaluation->in_payload = false;
    evaluation->io->emit(evaluation->io->context, result);
}

// What a table is for never gets into Jsonnet.
static struct JsonnetJsonValue *
native_next(void *context, const struct JsonnetJsonValue *const *args, int *ret_success)
{
    (void)args;
    struct evaluation *evaluation = context;
    *ret_success = 1;
    if (evaluation->payloads++ == PAYLOADS_PER_EVALUATION)
        return jsonnet_json_make_bool(evaluation->vm, false);
    take_next(evaluation);
    while (evaluation->document && evaluation->tables[evaluation->turn]) {
        json_t *mail = table_apply(evaluation->tables[evaluation->turn], evaluation->document);
        if (!mail)
            return fail(evaluation->vm, "the normaliser's result", ret_success);
        emit(evaluation, mail);
        take_next(evaluation);
    }
    return jsonnet_json_make_bool(evaluation->vm, evaluation->in_payload);
}

static struct JsonnetJsonValue *
native_begin(void *context, const struct JsonnetJsonValue *const *args, int *ret_success)
{
    struct evaluation *evaluation = context;
    double number;
    if (!jsonnet_json_extract_number(evaluation->vm, args[0], &number))
        return fail(evaluation->vm, "the normaliser's number", ret_success);
    if (evaluation->io->begin)
        evaluation->io->begin(evaluation->io->context, (size_t)number);
    *ret_success = 1;
    return jsonnet_json_make_bool(evaluation->vm, true);
}

// Takes a table, as JSON; gives false for what is none, nor meant to be one.
static struct JsonnetJsonValue *
native_table(void *context, const struct JsonnetJsonValue *const *args, int *ret_success)
{
    struct evaluation *evaluation = context;
    double number;
    const char *text = jsonnet_json_extract_string(evaluation->vm, args[1]);
    if (!text || !jsonnet_json_extract_number(evaluation->vm, args[0], &number))
        return fail(evaluation->vm, "the normaliser's table", ret_success);
    json_auto_t *table = payload_parse(text, strlen(text), NULL);
    *ret_success = 1;
    if (!json_is_object(table))
        return jsonnet_json_make_bool(evaluation->vm, false);
    if (!table_check(table, &evaluation->fault))
        return fail(evaluation->vm, "the normaliser's table", ret_success);
    json_t **place = &evaluation->tables[(size_t)number];
    json_decref(*place);
    *place = json_incref(table);
    return jsonnet_json_make_bool(evaluation->vm, true);
}

static struct JsonnetJsonValue *
native_turn(void *context, const struct JsonnetJsonValue *const *args, int *ret_success)
{
    (void)args;
    struct evaluation *evaluation = context;
    *ret_success = 1;
    return jsonnet_json_make_number(evaluation->vm, (double)evaluation->turn);
}

static struct JsonnetJsonValue *
native_emit(void *context, const struct JsonnetJsonValue *const *args, int *ret_success)
{
    struct evaluation *evaluation = context;
    struct JsonnetVm *vm = evaluation->vm;
    const char *text = jsonnet_json_extract_string(vm, args[0]);
    size_t size = text ? strlen(text) : 0;
    if (size > NORMALISER_RESULT_MAX) // parsing it takes a third of the time that making it took
        return fail(vm, "the result is too large", ret_success);
    json_auto_t *wrapped = text ? payload_parse(text, size, NULL) : NULL;
    if (!wrapped)
        return fail(vm, "the normaliser's result", ret_success);
    emit(evaluation, json_incref(json_array_get(wrapped, 0)));
    *ret_success = 1;
    return jsonnet_json_make_null(vm);
}

static char *refuse_import(void *context, const char *base, const char *path, char **ret_found,
                           int *ret_success)
{
    (void)base, (void)path, (void)ret_found;
    *ret_success = 0;
    char *message = jsonnet_realloc(context, NULL, sizeof("refused"));
    return memcpy(message, "refused", sizeof("refused"));
}

static void register_natives(struct evaluation *evaluation, const struct program *program)
{
    static const char *const no_params[] = {NULL};
    static const char *const paths[] = {"paths", NULL};
    static const char *const objects_paths[] = {"objects", "paths", NULL};
    static const char *const result[] = {"result", NULL};
    static const char *const number_only[] = {"number", NULL};
    static const char *const number_table[] = {"number", "table", NULL};
    static const struct {
        const char *name;
        JsonnetNativeCallback *callback;
        const char *const *params;
        bool is_secret;
    } natives[] = {
        {"at", native_at, paths, false},
        {"number", native_number, paths, false},
        {"text", native_text, paths, false},
        {"text_in", native_text_in, objects_paths, false},
        {"texts_in", native_texts_in, objects_paths, false},
        {"begin", native_begin, number_only, true},
        {"table", native_table, number_table, true},
        {"next", native_next, no_params, true},
        {"turn", native_turn, no_params, true},
        {"payload", native_payload, no_params, true},
        {"emit", native_emit, result, true},
    };
    for (size_t i = 0; i < sizeof(natives) / sizeof(natives[0]); i++) {
        char secret[PROGRAM_NATIVE_SIZE];
        program_native(program, natives[i].name, secret);
        jsonnet_native_callback(evaluation->vm, natives[i].is_secret ? secret : natives[i].name,
                                natives[i].callback, evaluation, natives[i].params);
    }
}

// One evaluation: to the end of the payloads, or as long as an evaluation may live.
static bool evaluate_payloads(const struct program *program, struct evaluation *evaluation,
                              struct error *err)
{
    evaluation->vm = jsonnet_make();
    evaluation->document = NULL;
    evaluation->payloads = 0;
    jsonnet_import_callback(evaluation->vm, refuse_import, evaluation->vm);
    register_natives(evaluation, program);
    std_additions_register(evaluation->vm);
    int failed;
    char *text =
        jsonnet_evaluate_snippet(evaluation->vm, PROGRAM_NAME, program->text.data, &failed);
    if (failed) {
        const struct complaint_source source = {
            .name = PROGRAM_NAME,
            .text = program->text.data,
            .parts = program->parts,
            .part_count = program->part_count,
            .at_work = evaluation->in_payload ? evaluation->turn : program->part_count,
        };
        struct error complaint;
        complaint_set(&complaint, text, &source);
        const struct error *fault = &evaluation->fault;
        bool in_table = fault->code != ERR_NONE;
        error_set(err, ERR_INPUT, "%s%s%s", complaint.message, in_table ? ": " : "",
                  in_table ? fault->message : "");
    }
    jsonnet_realloc(evaluation->vm, text, 0);
    jsonnet_destroy(evaluation->vm);
    return !failed;
}

static void drop_tables(struct evaluation *evaluation, size_t count)
{
    for (size_t i = 0; evaluation->tables && i < count; i++)
        json_decref(evaluation->tables[i]);
    free(evaluation->tables);
}

bool normaliser_run(const struct normaliser_source *sources, size_t count,
                    const struct normaliser_io *io, bool *ret_in_payload, struct error *err)
{
    AUTO_PROGRAM struct program program;
    *ret_in_payload = false;
    if (!program_init(&program, sources, count, err))
        return false;
    struct evaluation evaluation = {.io = io, .tables = calloc(count, sizeof(json_t *))};
    if (!evaluation.tables)
        return error_set(err, ERR_TEMPORARY, "no memory for the normalisers");
    bool ok = true;
    while (ok && !evaluation.ended)
        ok = evaluate_payloads(&program, &evaluation, err);
    drop_tables(&evaluation, count);
    *ret_in_payload = !ok && evaluation.in_payload;
    return ok;
}

json_t *normaliser_tables(const struct normaliser_source *sources, size_t count,
                          const struct normaliser_io *io)
{
    AUTO_PROGRAM struct program program;
    struct error err; // normaliser_run() will say it
    if (!program_init(&program, sources, count, &err))
        return NULL;
    struct evaluation evaluation = {.io = io, .tables = calloc(count, sizeof(json_t *))};
    json_t *tables = json_array();
    bool ok = evaluation.tables && evaluate_payloads(&program, &evaluation, &err);
    for (size_t i = 0; ok && i < count; i++)
        ok = json_array_append(tables, evaluation.tables[i]) == 0; // not where it is a function
    drop_tables(&evaluation, count);
    if (ok)
        return tables;
    json_decref(tables);
    return NULL;
}

bool normaliser_run_tables(json_t *tables, const struct normaliser_io *io, bool *ret_in_payload,
                           struct error *err)
{
    size_t turn;
    json_t *document;
    *ret_in_payload = false;
    while ((document = io->next(io->context, &turn))) {
        json_t *mail = table_apply(json_array_get(tables, turn), document);
        if (!mail) {
            *ret_in_payload = true;
            return error_set(err, ERR_TEMPORARY, "no memory for a mail");
        }
        io->emit(io->context, mail);
    }
    return true;
}

// The formatter parses without the standard library, which would cost 15 ms. It is told to leave
// alone what it can, as only its parser is of interest.
bool normaliser_check(const struct normaliser_source *source, struct error *err)
{
    struct JsonnetVm *vm = jsonnet_make();
    jsonnet_fmt_string(vm, 'l');
    jsonnet_fmt_comment(vm, 'l');
    jsonnet_fmt_pretty_field_names(vm, 0);
    jsonnet_fmt_sort_imports(vm, 0);
    int failed;
    char *text = jsonnet_fmt_snippet(vm, PROGRAM_NAME, source->text, &failed);
    if (failed) {
        const struct complaint_part whole = {.file = source->file, .lines = INT_MAX};
        complaint_set(
            err, text,
            &(struct complaint_source){.name = PROGRAM_NAME, .parts = &whole, .part_count = 1});
    }
    jsonnet_realloc(vm, text, 0);
    jsonnet_destroy(vm);
    return !failed;
}
