// The relay that runs on this queue, if one does: does it answer, and what does it send by?
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/cli/cli.h"
#include "relay/cli/doctor.h"
#include "relay/cli/order.h"
#include "relay/endpoint.h"
#include "relay/member_text.h"

enum { ANSWER_LIMIT_MS = 5000 };

static const char subject[] = "relay";

// A circuit that is not closed.
static void tell_smarthosts(struct doctor *doctor, const json_t *smarthosts)
{
    static const struct advice open = {
        "it has failed so often that nothing is sent there; the relay asks again by itself",
        "see what is said of this smarthost above, and `courier-relay queue list --state queued`"};
    static const struct advice paused = {"nothing is sent there until somebody resumes it",
                                         "courier-relay smarthosts resume NAME"};
    size_t index;
    json_t *one;
    json_array_foreach(smarthosts, index, one)
    {
        const char *state = member_text_or(one, "state", "?");
        if (strcmp(state, "closed") == 0)
            continue;
        bool is_paused = strcmp(state, "paused") == 0;
        const char *error = is_paused ? NULL : member_text(one, "error");
        findings_tell(&doctor->findings, SEVERITY_WARNING, subject, is_paused ? &paused : &open,
                      "smarthost %s is %s since %s%s%s", member_text_or(one, "name", "?"),
                      is_paused ? state : "down", member_text_or(one, "since", "?"),
                      error ? ": " : "", error ? error : "");
    }
}

// False: there was no answer, which err tells. ret_answer NULL: a connection is all that is wanted.
static bool get(const char *url, struct cli_answer *ret_answer, struct error *err)
{
    struct cli_client *client = cli_client_create(NULL, err);
    const struct cli_request request = {.url = url, .is_get = true, .limit_ms = ANSWER_LIMIT_MS};
    bool is_answered = client && (ret_answer ? cli_request(client, &request, ret_answer, err)
                                             : cli_connect(client, &request, err));
    cli_client_destroy(client);
    return is_answered;
}

static void look_at_listener(struct doctor *doctor, bool runs)
{
    static const struct advice deaf = {
        "Kratos posts there, and gives its mails up when it is not answered",
        "look into the relay's log; a firewall, or another RELAY_LISTEN than the running relay's, "
        "shows like this as well"};
    static const struct advice foreign = {
        "the relay cannot listen there as well, and Kratos' mails go to whoever that is",
        "look who it is: ss -ltnp; or it is a relay whose queue is in another folder"};
    AUTO_FREE char *url = cli_endpoint_url(&doctor->config->listen, "/health/ready");
    struct error err = {0};
    struct cli_answer answer;
    if (!url)
        return;
    bool is_answered = get(url, &answer, &err);
    if (!runs && (is_answered || err.code == ERR_IO))
        findings_tell(&doctor->findings, SEVERITY_WARNING, subject, &foreign,
                      "%s: somebody listens there, and no relay runs on this queue", url);
    else if (runs && !is_answered)
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject, &deaf, "%s", err.message);
    else if (runs && answer.status != 200)
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject, &deaf, "%s answers %ld %s", url,
                      answer.status, answer.message);
    else if (runs)
        findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL, "%s: it takes mail", url);
}

// A connection and no request: only digests of keys are known here, and without a key the relay
// would log that somebody has tried. What keys it has is not to be seen from here: it may have been
// started with others than this command was.
static void look_at_admin(struct doctor *doctor)
{
    static const struct advice deaf = {
        "neither metrics nor the admin API can be had, so no alert comes",
        "look into the relay's log: `listening` tells where it listens as `admin`"};
    AUTO_FREE char *url = cli_endpoint_url(&doctor->config->admin_listen, "/");
    struct error err = {0};
    if (doctor->config->admin_off || !url)
        return;
    if (!get(url, NULL, &err))
        findings_tell(&doctor->findings, SEVERITY_WARNING, subject, &deaf, "%s", err.message);
    else if (!doctor->config->admin_keys)
        findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL,
                      "%s: the admin API listens; doctor was given no admin key (RELAY_ADMIN_KEY), "
                      "and did not look whether the relay has one",
                      url);
    else
        findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL, "%s: the admin API listens",
                      url);
}

// Whether one runs on this queue.
static bool look_at_control(struct doctor *doctor)
{
    static const struct advice foreign = {"the queue's commands cannot be given to it by this user",
                                          "run this as the relay's user (sudo -u)"};
    static const struct advice mute = {"the relay does not answer its own operator",
                                       "look into its log, and start it again"};
    struct error err = {0};
    struct cli_answer answer;
    json_auto_t *smarthosts = NULL;
    const struct cli_order order = {
        .path = "/admin/smarthosts", .is_get = true, .ret_body = &smarthosts};
    if (access(doctor->config->queue_dir, F_OK) < 0)
        return false;
    struct cli_orders *orders = cli_orders_open(doctor->config->queue_dir);
    if (!orders)
        return false;
    bool is_answered = cli_ask(orders, &order, &answer, &err);
    cli_orders_close(orders);
    if (is_answered && answer.status == 200) {
        findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL, "it runs on this queue");
        tell_smarthosts(doctor, smarthosts);
        return true;
    }
    if (!is_answered && err.code == ERR_TEMPORARY)
        return false;
    if (!is_answered && err.code == ERR_PERMANENT)
        findings_tell(&doctor->findings, SEVERITY_WARNING, subject, &foreign,
                      "it runs as another user");
    else
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject, &mute, "%s: %s", CONTROL_SOCKET,
                      is_answered ? answer.message : err.message);
    return true;
}

void doctor_look_at_relay(struct doctor *doctor)
{
    static const struct advice absent = {
        "nothing takes Kratos' mails, and what is in the queue is not sent",
        "start it (systemctl start courier-relay, docker compose up -d); if one runs, run this "
        "with its settings and as its user: RELAY_QUEUE_DIR or RELAY_CONFIG is another one's"};
    bool runs = look_at_control(doctor);
    if (!runs)
        findings_tell(&doctor->findings, SEVERITY_WARNING, subject, &absent,
                      "none runs on this queue");
    look_at_listener(doctor, runs);
    if (runs)
        look_at_admin(doctor);
}
