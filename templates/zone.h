// zone.h - which time zone somebody means.
#ifndef TEMPLATES_ZONE_H
#define TEMPLATES_ZONE_H

#include <stdbool.h>

#define ZONE_NAME_SIZE 64

// True where name is known, and then ret_zone is a name that ICU takes. Known are
//   - IANA's names ("Europe/Budapest", "CET", "EST5EDT", "Etc/GMT-1", "UTC"), in their spelling;
//   - Windows' and .NET's, in any case, with or without blanks and punctuation ("Central Europe
//     Standard Time", "CentralEuropeStandardTime");
//   - offsets ("UTC+1", "GMT+01:00", "-03:30"), up to 14 hours, in quarters of one.
// Not known is what means several zones: "BST", "IST", "PST". name may be a stranger's, and NULL.
bool zone_resolve(const char *name, char ret_zone[ZONE_NAME_SIZE]);

#endif
