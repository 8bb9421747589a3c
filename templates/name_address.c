#include "templates/name_address.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uloc.h>
#include <unicode/uscript.h>

static bool is_one_of(UChar32 point, const UChar32 *points)
{
    while (*points && *points != point)
        points++;
    return *points != 0;
}

static UScriptCode script_of(UChar32 point)
{
    UErrorCode status = U_ZERO_ERROR;
    UScriptCode script = uscript_getScript(point, &status);
    return U_SUCCESS(status) ? script : USCRIPT_COMMON;
}

// ---- words joined by dots -------------------------------------------------------------------

static bool is_european_letter(const struct name_text *name, size_t index)
{
    UScriptCode script = script_of(name->points[index]);
    return u_isalnum(name->points[index]) &&
           (script == USCRIPT_LATIN || script == USCRIPT_CYRILLIC || script == USCRIPT_GREEK ||
            name->points[index] < 0x80);
}

// What mail programs take for a dot, and what people do.
static bool is_dot(const struct name_text *name, size_t index)
{
    static const UChar32 dots[] = {'.',    0x3002, 0xa4f8, 0x06d4, 0x0701,  0x0702,
                                   0xa60e, 0x166e, 0x2cf9, 0x2cfe, 0x1d16d, 0};
    // Dots at half height, a raised one that is a letter, Arabic's zeros. They part words in
    // scripts of their own: "约翰·史密斯".
    static const UChar32 lookalikes[] = {0x00b7, 0x0660, 0x06f0, 0x119e, 0x1427, 0x16eb,
                                         0x2022, 0x2027, 0x2219, 0x22c5, 0x2981, 0x2e31,
                                         0x2e33, 0x30fb, 0xa78f, 0};
    if (is_one_of(name->points[index], dots))
        return true;
    if (!is_one_of(name->points[index], lookalikes) || index == 0 || index + 1 == name->count)
        return false;
    bool is_catalan = name->points[index] == 0xb7 && name->lower[index - 1] == 'l' &&
                      name->lower[index + 1] == 'l'; // "Gal·la"
    return !is_catalan && is_european_letter(name, index - 1) &&
           is_european_letter(name, index + 1);
}

static bool is_of_run(const struct name_text *name, size_t index)
{
    UChar32 point = name->points[index];
    return u_isalnum(point) || point == '-' || point == '_' || name_text_is_mark(point) ||
           is_dot(name, index);
}

// Not all that there are, for people are called like some ("J.Kim", "St.Paris"): countries, and
// what else a stranger may get a name under.
static bool is_top_level(const struct name_text *name, struct name_span word)
{
    static const char others[] =
        " ac academy accountant accountants actor ads adult agency ai airforce apartments app arpa"
        " art asia associates attorney auction audio auto autos baby band bank bar bargains"
        " baseball basketball beauty beer best bet bible bid bike bingo bio biz black blackfriday"
        " blog blue boats bond boo book boutique broker build builders business buy buzz cab cafe"
        " call cam camera camp capital car cards care career careers cars casa case cash casino cat"
        " catering center ceo cfd channel charity chat cheap christmas church city claims cleaning"
        " click clinic clothing cloud club coach codes coffee college com community company"
        " compare computer condos construction consulting contact contractors cooking cool coop"
        " country coupon coupons courses credit creditcard cruises cyou dad dance data date dating"
        " day dds deal dealer deals degree delivery democrat dental dentist design dev diamonds"
        " diet digital direct directory discount diy docs doctor dog domains dot download drive"
        " earth eat eco edu education email energy engineer engineering enterprises equipment esq"
        " estate eu events exchange expert exposed express fail faith family fan fans farm fashion"
        " fast feedback film final finance financial fire fish fishing fit fitness flights florist"
        " flowers fly foo food football forex forsale forum foundation free fun fund furniture fyi"
        " gallery game games garden gay gift gifts gives giving glass global gmbh gold golf gop"
        " gov graphics gratis green gripe group guide guitars guru hair haus health healthcare help"
        " here hiphop hiv hockey holdings holiday homes horse hospital host hosting hot hotel house"
        " how icu immo immobilien inc industries info ing ink institute insurance insure int"
        " international investments io irish jetzt jewelry jobs juegos kaufen kids kitchen kiwi"
        " land lat law lawyer lease legal lgbt life lifestyle lighting limited limo link live"
        " living llc loan loans locker lol lotto love ltd ltda luxe luxury maison makeup management"
        " map market marketing markets mba me med media meet meme memorial men menu miami mil mobi"
        " moda moe mom money monster mortgage moto motorcycles mov movie museum music name navy net"
        " network new news ngo ninja now observer one ong onl online ooo open org organic page"
        " partners parts party pay pet pharmacy phd phone photo photography photos physio pics"
        " pictures pink pizza place play plumbing plus poker porn post press prime pro productions"
        " prof promo properties property protection pub qpon racing radio read realestate realtor"
        " realty recipes red rehab reise reisen ren rent rentals repair report republican rest"
        " restaurant review reviews rip rocks rodeo rsvp rugby run safe safety sale salon save sbs"
        " schule science search secure security select services sex sexy shoes shop shopping show"
        " singles site ski skin soccer social software solar solutions soy spa space sport spot"
        " store storage stream studio study style su sucks supplies supply support surf surgery"
        " systems talk tattoo tax taxi team tech technology tel tennis theater theatre tickets"
        " tienda tips tires today tools top tours town toys trade trading training travel tube tv"
        " uk university uno vacations vegas ventures vet viajes video villas vin vip vision vodka"
        " vote voto voyage wang watch watches webcam website wed wedding whoswho wiki win wine"
        " winners work works world wow wtf xxx xyz yachts yoga you zero zip zone"
        " бг бел дети ею каз қаз католик ком мкд мон москва онлайн орг рус рф сайт срб укр ελ ευ"
        " გე հայ ישראל קום ابوظبي الاردن الجزائر السعودية المغرب اليمن امارات ایران بازار بيتك"
        " تونس سودان سورية شبكة عراق عرب عمان فلسطين قطر كوم مصر مليسيا موقع همراه پاکستان بھارت"
        " भारत भारतम् कॉम नेट संगठन ভারত বাংলা இந்தியா இலங்கை சிங்கப்பூர் భారత్ ಭಾರತ ഭാരതം ભારત"
        " ਭਾਰਤ ලංකා ไทย คอม ລາວ ";
    if (word.end - word.first == 2) {
        for (const char *const *country = uloc_getISOCountries(); *country; country++) {
            if (u_tolower((*country)[0]) == name->lower[word.first] &&
                u_tolower((*country)[1]) == name->lower[word.first + 1])
                return true;
        }
    }
    return name_text_is_listed(name, word, others);
}

// True where the last word of a run of initials and titles may be a domain: people's names are
// capitalised, where their script does so.
static bool is_like_domain(const struct name_text *name, struct name_span word)
{
    size_t letters = 0;
    bool is_lower = false, is_upper = false;
    bool is_domain = name->points[word.first] != '-'; // "Dipl.-Ing."
    while (word.first < word.end && name->points[word.first] == '-')
        word.first++;
    while (word.end > word.first && name->points[word.end - 1] == '-')
        word.end--;
    for (size_t i = word.first; i < word.end; i++) {
        if (name->points[i] == '_')
            return true; // stands in no name
        letters += u_isalpha(name->points[i]) != 0;
        is_lower |= u_islower(name->points[i]) != 0;
        is_upper |= u_isupper(name->points[i]) || u_istitle(name->points[i]);
    }
    if (letters < 2)
        return false;
    return (is_domain && is_top_level(name, word)) ||
           (is_lower && !is_upper && !name_text_is_title(name, word));
}

static bool is_of_one_script(const struct name_text *name, struct name_span run)
{
    UScriptCode script = USCRIPT_COMMON;
    for (size_t i = run.first; i < run.end; i++) {
        UScriptCode own = script_of(name->points[i]);
        if (own == USCRIPT_COMMON || own == USCRIPT_INHERITED || is_dot(name, i))
            continue;
        if (script != USCRIPT_COMMON && own != script)
            return false;
        script = own;
    }
    return true;
}

static bool is_host(const struct name_text *name, struct name_span run)
{
    while (run.end > run.first && is_dot(name, run.end - 1))
        run.end--;
    struct name_span word = {run.first, run.first};
    for (;;) {
        while (word.end < run.end && !is_dot(name, word.end))
            word.end++;
        if (word.end == run.end)
            break;
        struct name_span letters = word;
        if (letters.first < letters.end && name->points[letters.first] == '-')
            letters.first++; // "Dipl.-Ing.Huber"
        if (!name_text_is_initial(name, letters) && !name_text_is_title(name, letters))
            return true;
        word.first = ++word.end;
    }
    if (word.first == run.first)
        return false; // no dot, or none but at its end
    return !is_of_one_script(name, run) || is_like_domain(name, word);
}

// ---- all of it ------------------------------------------------------------------------------

bool name_has_address(const struct name_text *name)
{
    static const char *const signs[] = {
        "@",   "://", "//",   "http", "hxxp",  "www",   "xn--",
        "[.]", "(.)", "[at]", "(at)", "[dot]", "(dot)", "mailto:",
    };
    for (size_t i = 0; i < name->count; i++) {
        for (size_t k = 0; k < sizeof(signs) / sizeof(signs[0]); k++) {
            if (name_text_has(name, i, signs[k]))
                return true;
        }
    }
    for (struct name_span run = {0, 0}; run.first < name->count; run.first = run.end + 1) {
        run.end = run.first;
        while (run.end < name->count && is_of_run(name, run.end))
            run.end++;
        if (is_host(name, run))
            return true;
    }
    return false;
}
