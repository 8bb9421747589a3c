// gallery.h - `courier-relay render --all`: every type in every locale and brand, as files.
#ifndef RELAY_CLI_GALLERY_H
#define RELAY_CLI_GALLERY_H

#include "relay/cli/viewer.h"

// Fills the folder dir (mail_folder.h) with example mails and a page that leads to them, of one
// brand or, brand NULL, of all, and prints what it has done. Returns the exit status, having
// complained of what went wrong. Ends the viewer.
int gallery_write(struct viewer *viewer, const char *dir, const char *brand);

#endif
