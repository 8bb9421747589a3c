// The clock: mails carry their date, and certificates and keys end by it. Deadlines do not run on
// it.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <unistd.h>

#include "relay/base/cleanup.h"
#include "relay/base/clock.h"
#include "relay/cli/doctor.h"

// Seconds since the epoch: 1 January 2025 and 2100.
#define EARLIEST_S INT64_C(1735689600)
#define LATEST_S INT64_C(4102444800)
enum { RTC_APART_S = 120, STEP_MS = 500 };

static const char subject[] = "clock";

static const struct advice wrong = {
    "mails carry a false date, which spam filters hold against them, and certificates that are "
    "good "
    "look as if they were not",
    "have the machine's time kept by systemd-timesyncd, chrony or ntpd"};

// The battery's clock, in UTC as Linux has it; 0: there is none to be seen.
static int64_t read_rtc_s(void)
{
    char text[32] = "";
    AUTO_CLOSE int fd = open("/sys/class/rtc/rtc0/since_epoch", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return 0;
    return strtoll(text, NULL, 10);
}

// Whether anybody keeps the time. Reading it needs no rights.
static void look_at_keeper(struct doctor *doctor)
{
    static const struct advice alone = {
        "a clock that nobody keeps is minutes off after some months; then mails carry a false date",
        "run systemd-timesyncd, chrony or ntpd on the machine (in a container: on its host)"};
    struct timex state = {.modes = 0};
    int result = adjtimex(&state);
    if (result < 0)
        findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL,
                      "the kernel does not say whether it is synchronised");
    else if (result == TIME_ERROR && (state.status & STA_UNSYNC))
        findings_tell(&doctor->findings, SEVERITY_WARNING, subject, &alone,
                      "the kernel says that it is not synchronised");
    else
        findings_tell(&doctor->findings, SEVERITY_FINE, subject, NULL,
                      "synchronised, the kernel says, to within %.0f ms",
                      (double)state.maxerror / 1000);
}

// Since this command began.
static void look_for_steps(struct doctor *doctor)
{
    static const struct advice pulled = {
        "somebody sets it, again and again as a rule: two who keep the time, or a virtual "
        "machine's "
        "host; mails' dates and the log's times jump with it",
        "let one keep the time: timedatectl, chronyc sources, and the host's guest tools"};
    int64_t step_ms = clock_wall_ahead_ms() - doctor->wall_ahead_ms;
    if (step_ms > STEP_MS || step_ms < -STEP_MS)
        findings_tell(&doctor->findings, SEVERITY_WARNING, subject, &pulled,
                      "it was set by %lld ms while this command ran", (long long)step_ms);
}

void doctor_look_at_clock(struct doctor *doctor)
{
    int64_t now_ms = clock_wall_ms(), now_s = now_ms / 1000, rtc_s = read_rtc_s();
    char text[CLOCK_RFC3339_SIZE];
    clock_rfc3339(now_ms, text);
    if (now_s < EARLIEST_S || now_s > LATEST_S) {
        findings_tell(&doctor->findings, SEVERITY_ERROR, subject, &wrong, "it is not %s", text);
        return;
    }
    int64_t apart_s = rtc_s > now_s ? rtc_s - now_s : now_s - rtc_s;
    if (rtc_s > 0 && apart_s > RTC_APART_S)
        findings_tell(&doctor->findings, SEVERITY_WARNING, subject, &wrong,
                      "it says %s, and is %lld s apart from the machine's own (its RTC)", text,
                      (long long)apart_s);
    look_for_steps(doctor);
    look_at_keeper(doctor);
}
