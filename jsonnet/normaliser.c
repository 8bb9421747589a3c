#include "jsonnet/normaliser.h"

#include <libjsonnet.h>
#include <string.h>

#include "jsonnet/complaint.h"
#include "jsonnet/payload.h"
#include "relay/base/buffer.h"

#define FILE_SIZE_MAX (1024 * 1024)
// An evaluation grows by some bytes a payload; a new one costs 15 ms, so it comes seldom.
#define PAYLOADS_PER_EVALUATION 100000

// The text is the body of a function that is called for each payload, so that what it works out
// outside of its own function is worked out anew: were `local to = at('to')` kept from payload to
// payload, one person's code would go to another.
// It stands on lines of its own, so that only line numbers shift.
#define PROLOGUE "local normaliser() = (\n"
#define PROLOGUE_LINES 1
// The tail call keeps the stack flat. payload() is evaluated only if the function looks at its
// argument. std.toString of a string would give the bare string, hence the array around it.
static const char epilogue[] =
    "\n);\n"
    "assert std.isFunction(normaliser()) : 'the normaliser is no function';\n"
    "local next = std.native('next'), payload = std.native('payload'),\n"
    "      emit = std.native('emit');\n"
    "local loop(emitted) =\n"
    "  if next() then loop(emit(std.toString([normaliser()(payload())]))) tailstrict\n"
    "  else null;\n"
    "loop(null)\n";

struct evaluation {
    struct JsonnetVm *vm;
    const struct normaliser_io *io;
    json_t *document; // what next() gave last
    bool in_payload;  // not emitted yet
    bool ended;       // next() gave NULL
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
    return payload_text(document, "", paths[0]);
}

static json_t *pick_text_in(json_t *document, const char *const *paths)
{
    return payload_text(document, paths[0], paths[1]);
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

static struct JsonnetJsonValue *
native_next(void *context, const struct JsonnetJsonValue *const *args, int *ret_success)
{
    (void)args;
    struct evaluation *evaluation = context;
    *ret_success = 1;
    if (evaluation->payloads++ == PAYLOADS_PER_EVALUATION)
        return jsonnet_json_make_bool(evaluation->vm, false);
    evaluation->document = evaluation->io->next(evaluation->io->context);
    evaluation->in_payload = evaluation->document;
    evaluation->ended = !evaluation->document;
    return jsonnet_json_make_bool(evaluation->vm, evaluation->in_payload);
}

static struct JsonnetJsonValue *
native_emit(void *context, const struct JsonnetJsonValue *const *args, int *ret_success)
{
    struct evaluation *evaluation = context;
    struct JsonnetVm *vm = evaluation->vm;
    const char *text = jsonnet_json_extract_string(vm, args[0]);
    json_auto_t *wrapped = text ? payload_parse(text, strlen(text), NULL) : NULL;
    if (!wrapped)
        return fail(vm, "the normaliser's result", ret_success);
    evaluation->in_payload = false;
    evaluation->io->emit(evaluation->io->context, json_incref(json_array_get(wrapped, 0)));
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

static void register_natives(struct evaluation *evaluation)
{
    static const char *const no_params[] = {NULL};
    static const char *const paths[] = {"paths", NULL};
    static const char *const objects_paths[] = {"objects", "paths", NULL};
    static const char *const result[] = {"result", NULL};
    static const struct {
        const char *name;
        JsonnetNativeCallback *callback;
        const char *const *params;
    } natives[] = {
        {"at", native_at, paths},
        {"number", native_number, paths},
        {"text", native_text, paths},
        {"text_in", native_text_in, objects_paths},
        {"texts_in", native_texts_in, objects_paths},
        {"next", native_next, no_params},
        {"payload", native_payload, no_params},
        {"emit", native_emit, result},
    };
    for (size_t i = 0; i < sizeof(natives) / sizeof(natives[0]); i++)
        jsonnet_native_callback(evaluation->vm, natives[i].name, natives[i].callback, evaluation,
                                natives[i].params);
}

static int count_lines(const char *text)
{
    int lines = 1;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}

// One evaluation: to the end of the payloads, or as long as an evaluation may live.
static bool evaluate_payloads(const char *program, const struct complaint_source *source,
                              struct evaluation *evaluation, struct error *err)
{
    evaluation->vm = jsonnet_make();
    evaluation->payloads = 0;
    jsonnet_import_callback(evaluation->vm, refuse_import, evaluation->vm);
    register_natives(evaluation);
    int failed;
    char *text = jsonnet_evaluate_snippet(evaluation->vm, source->file, program, &failed);
    if (failed)
        complaint_set(err, text, source);
    jsonnet_realloc(evaluation->vm, text, 0);
    jsonnet_destroy(evaluation->vm);
    return !failed;
}

bool normaliser_run(const char *text, const char *file, const struct normaliser_io *io,
                    bool *ret_in_payload, struct error *err)
{
    AUTO_BUFFER struct buffer program;
    buffer_init(&program, FILE_SIZE_MAX);
    buffer_puts(&program, PROLOGUE);
    buffer_puts(&program, text);
    buffer_puts(&program, epilogue);
    *ret_in_payload = false;
    if (program.failed)
        return error_set(err, ERR_INPUT, "%s: larger than %d bytes", file, FILE_SIZE_MAX);

    struct complaint_source source = {
        .file = file, .lines_before = PROLOGUE_LINES, .lines = count_lines(text)};
    struct evaluation evaluation = {.io = io};
    while (!evaluation.ended) {
        if (!evaluate_payloads(program.data, &source, &evaluation, err)) {
            *ret_in_payload = evaluation.in_payload;
            return false;
        }
    }
    return true;
}
