// name_check.h - what may not stand in a person's name, for it is a stranger's message.
//
// Anybody can register as "Your code is 123456" or "Win at evil.example", for anybody's address.
#ifndef TEMPLATES_NAME_CHECK_H
#define TEMPLATES_NAME_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <unicode/utypes.h>

// False where the name, of count code points, has
//   - more than three digits of any script in all, dice and the like among them, whatever stands
//     between them: a code, a telephone number, a year that a mail program would offer as the
//     code; or a row of Chinese numerals;
//   - an address of mail or web, or what mail programs make one of (name_address.h);
//   - what makes it a sentence or a path: "!", "?", ";", a colon, a slash or backslash, or more
//     than six words, small ones ("de la", "bin", titles, initials) not counted;
//   - nothing but what programs write where they have none, no letter, or a character that could
//     not be read.
bool name_check(const UChar32 *name, size_t count);

#endif
