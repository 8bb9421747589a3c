#include "relay/cli/gallery.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/cli/cli.h"
#include "relay/cli/example_mail.h"
#include "relay/cli/index_page.h"
#include "relay/cli/mail_folder.h"
#include "relay/member_text.h"

#define INDEX "index.html"

enum { PAGE_MAX = 64 * 1024 * 1024, CANONICAL_MAX = 64 * 1024 };

struct gallery {
    struct viewer *viewer;
    struct mail_folder folder;
    struct buffer page;
    size_t brands, written, missing;
};

// Which of them: the place on the page, and in the folder.
struct place {
    const json_t *brand, *locale, *type;
    char path[MAIL_FOLDER_PATH_SIZE];
};

static bool write_files(const struct gallery *gallery, const struct place *place,
                        const struct view *view, struct error *err)
{
    static const struct {
        enum view_part part;
        const char *ending;
    } files[] = {{VIEW_TEXT, ".txt"}, {VIEW_HTML, ".html"}, {VIEW_EML, ".eml"}};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const struct frame_blob *part = &view->parts[files[i].part];
        if (!mail_folder_write(&gallery->folder, place->path, files[i].ending, part->data,
                               part->size, err))
            return false;
    }
    return true;
}

static void put_on_page(struct gallery *gallery, const struct place *place, const struct view *view)
{
    const struct index_page_mail mail = {
        .locale = viewer_name(place->locale, VIEWER_LOCALES),
        .language = member_text_or(place->locale, "language", ""),
        .dir = member_text_or(place->locale, "dir", ""),
        .subject = view->park ? NULL : view->parts[VIEW_SUBJECT].data,
        .subject_size = view->parts[VIEW_SUBJECT].size,
        .path = place->path,
        .park = view->park,
    };
    index_page_mail(&gallery->page, &mail);
}

static bool add_mail(struct gallery *gallery, struct place *place, struct error *err)
{
    const char *brand = viewer_name(place->brand, VIEWER_BRANDS);
    const char *locale = viewer_name(place->locale, VIEWER_LOCALES);
    const char *type = viewer_name(place->type, VIEWER_TYPES);
    AUTO_BUFFER struct buffer canonical;
    buffer_init(&canonical, CANONICAL_MAX);
    AUTO_VIEW struct view view = {0};
    if (!mail_folder_path(brand, locale, type, place->path, err))
        return false;
    if (!example_mail(place->type, place->brand, clock_wall_ms(), &canonical))
        return error_set(err, ERR_TEMPORARY, "no memory");
    if (!viewer_show(gallery->viewer, &canonical, locale, brand, &view, err))
        return error_prefix(err, "%s", place->path);
    put_on_page(gallery, place, &view);
    if (!view.park) {
        gallery->written++;
        return write_files(gallery, place, &view, err);
    }
    cli_complain("%s in %s, brand %s: no mail: %s", type, locale, brand, view.park);
    gallery->missing++;
    return true;
}

static bool add_type(struct gallery *gallery, struct place *place, struct error *err)
{
    index_page_begin_type(&gallery->page, viewer_name(place->type, VIEWER_TYPES));
    size_t index;
    json_array_foreach(viewer_list(gallery->viewer, VIEWER_LOCALES), index, place->locale)
    {
        if (!add_mail(gallery, place, err))
            return false;
    }
    index_page_end_type(&gallery->page);
    return true;
}

static bool add_brand(struct gallery *gallery, const json_t *brand, struct error *err)
{
    struct buffer *page = &gallery->page;
    struct place place = {.brand = brand};
    size_t index;
    const json_t *locale;
    gallery->brands++;
    index_page_begin_brand(page, viewer_name(brand, VIEWER_BRANDS),
                           member_text_or(brand, "name", ""));
    json_array_foreach(viewer_list(gallery->viewer, VIEWER_LOCALES), index, locale)
        index_page_locale(page, viewer_name(locale, VIEWER_LOCALES),
                          member_text_or(locale, "language", ""), member_text_or(locale, "dir", ""),
                          member_text_or(locale, "name", ""));
    index_page_end_locales(page);
    json_array_foreach(viewer_list(gallery->viewer, VIEWER_TYPES), index, place.type)
    {
        if (!add_type(gallery, &place, err))
            return false;
    }
    index_page_end_brand(page);
    return true;
}

static bool add_all(struct gallery *gallery, const char *only, struct error *err)
{
    struct viewer *viewer = gallery->viewer;
    const json_t *brands = viewer_list(viewer, VIEWER_BRANDS), *brand;
    index_page_begin(&gallery->page, json_array_size(viewer_list(viewer, VIEWER_TYPES)),
                     json_array_size(viewer_list(viewer, VIEWER_LOCALES)),
                     only ? 1 : json_array_size(brands));
    size_t index;
    json_array_foreach(brands, index, brand)
    {
        bool is_wanted = !only || strcmp(only, viewer_name(brand, VIEWER_BRANDS)) == 0;
        if (is_wanted && !add_brand(gallery, brand, err))
            return false;
    }
    index_page_end(&gallery->page);
    if (gallery->page.failed)
        return error_set(err, ERR_TEMPORARY, "no memory for %s", INDEX);
    return mail_folder_write(&gallery->folder, NULL, INDEX, gallery->page.data, gallery->page.size,
                             err);
}

int gallery_write(struct viewer *viewer, const char *dir, const char *brand)
{
    struct error err = {0};
    struct gallery gallery = {.viewer = viewer};
    buffer_init(&gallery.page, PAGE_MAX);
    bool opened = mail_folder_open(&gallery.folder, dir, &err);
    bool done = opened && add_all(&gallery, brand, &err);
    if (opened)
        mail_folder_close(&gallery.folder);
    buffer_finish(&gallery.page);
    viewer_end(viewer);
    if (!done) {
        cli_complain("%s", err.message);
        return CLI_FAILED;
    }
    printf("%zu mails of %zu brand%s: %s/%s\n", gallery.written, gallery.brands,
           gallery.brands == 1 ? "" : "s", dir, INDEX);
    return gallery.missing == 0 ? CLI_DONE : CLI_FAILED;
}
