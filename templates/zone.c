#include "templates/zone.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unicode/ucal.h>
#include <unicode/ustring.h>

// The zones of Windows, by Unicode's windowsZones.xml, which ICU could tell us too, but only under
// their exact names. The two that Microsoft gave up, and Unicode never had, are added: Kamchatka
// and Mid-Atlantic. "UTC-02" and the like are offsets.
static const struct {
    const char *name, *zone;
} WINDOWS[] = {
    {"Afghanistan Standard Time", "Asia/Kabul"},
    {"Alaskan Standard Time", "America/Anchorage"},
    {"Aleutian Standard Time", "America/Adak"},
    {"Altai Standard Time", "Asia/Barnaul"},
    {"Arab Standard Time", "Asia/Riyadh"},
    {"Arabian Standard Time", "Asia/Dubai"},
    {"Arabic Standard Time", "Asia/Baghdad"},
    {"Argentina Standard Time", "America/Buenos_Aires"},
    {"Astrakhan Standard Time", "Europe/Astrakhan"},
    {"Atlantic Standard Time", "America/Halifax"},
    {"AUS Central Standard Time", "Australia/Darwin"},
    {"Aus Central W. Standard Time", "Australia/Eucla"},
    {"AUS Eastern Standard Time", "Australia/Sydney"},
    {"Azerbaijan Standard Time", "Asia/Baku"},
    {"Azores Standard Time", "Atlantic/Azores"},
    {"Bahia Standard Time", "America/Bahia"},
    {"Bangladesh Standard Time", "Asia/Dhaka"},
    {"Belarus Standard Time", "Europe/Minsk"},
    {"Bougainville Standard Time", "Pacific/Bougainville"},
    {"Canada Central Standard Time", "America/Regina"},
    {"Cape Verde Standard Time", "Atlantic/Cape_Verde"},
    {"Caucasus Standard Time", "Asia/Yerevan"},
    {"Cen. Australia Standard Time", "Australia/Adelaide"},
    {"Central America Standard Time", "America/Guatemala"},
    {"Central Asia Standard Time", "Asia/Almaty"},
    {"Central Brazilian Standard Time", "America/Cuiaba"},
    {"Central Europe Standard Time", "Europe/Budapest"},
    {"Central European Standard Time", "Europe/Warsaw"},
    {"Central Pacific Standard Time", "Pacific/Guadalcanal"},
    {"Central Standard Time (Mexico)", "America/Mexico_City"},
    {"Central Standard Time", "America/Chicago"},
    {"Chatham Islands Standard Time", "Pacific/Chatham"},
    {"China Standard Time", "Asia/Shanghai"},
    {"Cuba Standard Time", "America/Havana"},
    {"Dateline Standard Time", "Etc/GMT+12"},
    {"E. Africa Standard Time", "Africa/Nairobi"},
    {"E. Australia Standard Time", "Australia/Brisbane"},
    {"E. Europe Standard Time", "Europe/Chisinau"},
    {"E. South America Standard Time", "America/Sao_Paulo"},
    {"Easter Island Standard Time", "Pacific/Easter"},
    {"Eastern Standard Time (Mexico)", "America/Cancun"},
    {"Eastern Standard Time", "America/New_York"},
    {"Egypt Standard Time", "Africa/Cairo"},
    {"Ekaterinburg Standard Time", "Asia/Yekaterinburg"},
    {"Fiji Standard Time", "Pacific/Fiji"},
    {"FLE Standard Time", "Europe/Kiev"},
    {"Georgian Standard Time", "Asia/Tbilisi"},
    {"GMT Standard Time", "Europe/London"},
    {"Greenland Standard Time", "America/Godthab"},
    {"Greenwich Standard Time", "Atlantic/Reykjavik"},
    {"GTB Standard Time", "Europe/Bucharest"},
    {"Haiti Standard Time", "America/Port-au-Prince"},
    {"Hawaiian Standard Time", "Pacific/Honolulu"},
    {"India Standard Time", "Asia/Calcutta"},
    {"Iran Standard Time", "Asia/Tehran"},
    {"Israel Standard Time", "Asia/Jerusalem"},
    {"Jordan Standard Time", "Asia/Amman"},
    {"Kaliningrad Standard Time", "Europe/Kaliningrad"},
    {"Kamchatka Standard Time", "Asia/Kamchatka"},
    {"Korea Standard Time", "Asia/Seoul"},
    {"Libya Standard Time", "Africa/Tripoli"},
    {"Line Islands Standard Time", "Pacific/Kiritimati"},
    {"Lord Howe Standard Time", "Australia/Lord_Howe"},
    {"Magadan Standard Time", "Asia/Magadan"},
    {"Magallanes Standard Time", "America/Punta_Arenas"},
    {"Marquesas Standard Time", "Pacific/Marquesas"},
    {"Mauritius Standard Time", "Indian/Mauritius"},
    {"Mid-Atlantic Standard Time", "Atlantic/South_Georgia"},
    {"Middle East Standard Time", "Asia/Beirut"},
    {"Montevideo Standard Time", "America/Montevideo"},
    {"Morocco Standard Time", "Africa/Casablanca"},
    {"Mountain Standard Time (Mexico)", "America/Chihuahua"},
    {"Mountain Standard Time", "America/Denver"},
    {"Myanmar Standard Time", "Asia/Rangoon"},
    {"N. Central Asia Standard Time", "Asia/Novosibirsk"},
    {"Namibia Standard Time", "Africa/Windhoek"},
    {"Nepal Standard Time", "Asia/Katmandu"},
    {"New Zealand Standard Time", "Pacific/Auckland"},
    {"Newfoundland Standard Time", "America/St_Johns"},
    {"Norfolk Standard Time", "Pacific/Norfolk"},
    {"North Asia East Standard Time", "Asia/Irkutsk"},
    {"North Asia Standard Time", "Asia/Krasnoyarsk"},
    {"North Korea Standard Time", "Asia/Pyongyang"},
    {"Omsk Standard Time", "Asia/Omsk"},
    {"Pacific SA Standard Time", "America/Santiago"},
    {"Pacific Standard Time (Mexico)", "America/Tijuana"},
    {"Pacific Standard Time", "America/Los_Angeles"},
    {"Pakistan Standard Time", "Asia/Karachi"},
    {"Paraguay Standard Time", "America/Asuncion"},
    {"Qyzylorda Standard Time", "Asia/Qyzylorda"},
    {"Romance Standard Time", "Europe/Paris"},
    {"Russia Time Zone 10", "Asia/Srednekolymsk"},
    {"Russia Time Zone 11", "Asia/Kamchatka"},
    {"Russia Time Zone 3", "Europe/Samara"},
    {"Russian Standard Time", "Europe/Moscow"},
    {"SA Eastern Standard Time", "America/Cayenne"},
    {"SA Pacific Standard Time", "America/Bogota"},
    {"SA Western Standard Time", "America/La_Paz"},
    {"Saint Pierre Standard Time", "America/Miquelon"},
    {"Sakhalin Standard Time", "Asia/Sakhalin"},
    {"Samoa Standard Time", "Pacific/Apia"},
    {"Sao Tome Standard Time", "Africa/Sao_Tome"},
    {"Saratov Standard Time", "Europe/Saratov"},
    {"SE Asia Standard Time", "Asia/Bangkok"},
    {"Singapore Standard Time", "Asia/Singapore"},
    {"South Africa Standard Time", "Africa/Johannesburg"},
    {"South Sudan Standard Time", "Africa/Juba"},
    {"Sri Lanka Standard Time", "Asia/Colombo"},
    {"Sudan Standard Time", "Africa/Khartoum"},
    {"Syria Standard Time", "Asia/Damascus"},
    {"Taipei Standard Time", "Asia/Taipei"},
    {"Tasmania Standard Time", "Australia/Hobart"},
    {"Tocantins Standard Time", "America/Araguaina"},
    {"Tokyo Standard Time", "Asia/Tokyo"},
    {"Tomsk Standard Time", "Asia/Tomsk"},
    {"Tonga Standard Time", "Pacific/Tongatapu"},
    {"Transbaikal Standard Time", "Asia/Chita"},
    {"Turkey Standard Time", "Europe/Istanbul"},
    {"Turks And Caicos Standard Time", "America/Grand_Turk"},
    {"Ulaanbaatar Standard Time", "Asia/Ulaanbaatar"},
    {"US Eastern Standard Time", "America/Indianapolis"},
    {"US Mountain Standard Time", "America/Phoenix"},
    {"Venezuela Standard Time", "America/Caracas"},
    {"Vladivostok Standard Time", "Asia/Vladivostok"},
    {"Volgograd Standard Time", "Europe/Volgograd"},
    {"W. Australia Standard Time", "Australia/Perth"},
    {"W. Central Africa Standard Time", "Africa/Lagos"},
    {"W. Europe Standard Time", "Europe/Berlin"},
    {"W. Mongolia Standard Time", "Asia/Hovd"},
    {"West Asia Standard Time", "Asia/Tashkent"},
    {"West Bank Standard Time", "Asia/Hebron"},
    {"West Pacific Standard Time", "Pacific/Port_Moresby"},
    {"Yakutsk Standard Time", "Asia/Yakutsk"},
    {"Yukon Standard Time", "America/Whitehorse"},
};

// True where both have the same letters and digits in the same order, whatever their case and
// whatever stands between them.
static bool is_same_name(const char *one, const char *other)
{
    for (;; one++, other++) {
        while (*one && !isalnum((unsigned char)*one))
            one++;
        while (*other && !isalnum((unsigned char)*other))
            other++;
        if (tolower((unsigned char)*one) != tolower((unsigned char)*other))
            return false;
        if (!*one)
            return true;
    }
}

static const char *find_windows(const char *name)
{
    for (size_t i = 0; i < sizeof(WINDOWS) / sizeof(WINDOWS[0]); i++) {
        if (is_same_name(WINDOWS[i].name, name))
            return WINDOWS[i].zone;
    }
    return NULL;
}

// ---- offsets --------------------------------------------------------------------------------

// Windows' "UTC-02" and its like in .NET's spelling without punctuation; they alone have no sign.
static const char *find_unsigned(const char *name)
{
    static const struct {
        const char *name, *zone;
    } zones[] = {
        {"UTC02", "Etc/GMT+2"},  {"UTC08", "Etc/GMT+8"},  {"UTC09", "Etc/GMT+9"},
        {"UTC11", "Etc/GMT+11"}, {"UTC12", "Etc/GMT-12"}, {"UTC13", "Etc/GMT-13"},
    };
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        if (strcasecmp(zones[i].name, name) == 0)
            return zones[i].zone;
    }
    return NULL;
}

static int number_of(const char *digits, size_t count)
{
    int number = 0;
    for (size_t i = 0; i < count; i++)
        number = number * 10 + (digits[i] - '0');
    return number;
}

// Reads "1", "01:30" or "0130", as far from UTC, and in such steps, as clocks are.
static bool read_distance(const char *text, int *ret_hours, int *ret_minutes)
{
    static const char digits[] = "0123456789";
    size_t size = strspn(text, digits);
    const char *behind = text + size;
    int minutes = 0;
    if (size == 4 && !*behind) {
        size = 2;
        minutes = number_of(text + 2, 2);
    } else if (*behind == ':' && strspn(behind + 1, digits) == 2 && !behind[3]) {
        minutes = number_of(behind + 1, 2);
    } else if (*behind) {
        return false;
    }
    if (size != 1 && size != 2)
        return false;
    *ret_hours = number_of(text, size);
    *ret_minutes = minutes;
    return *ret_hours * 60 + minutes <= 14 * 60 && minutes <= 45 && minutes % 15 == 0;
}

// "UTC+1", "GMT -03:30", "+0545", "UTC".
static bool read_offset(const char *name, char ret_zone[ZONE_NAME_SIZE])
{
    bool is_utc = strncasecmp(name, "UTC", 3) == 0;
    bool is_named = is_utc || strncasecmp(name, "GMT", 3) == 0;
    const char *at = is_named ? name + 3 : name;
    at += strspn(at, " ");
    if (is_named && !*at) {
        snprintf(ret_zone, ZONE_NAME_SIZE, "Etc/%s", is_utc ? "UTC" : "GMT");
        return true;
    }
    const char sign = *at;
    if (sign != '+' && sign != '-')
        return false;
    int hours, minutes;
    at += 1 + strspn(at + 1, " ");
    if (!read_distance(at, &hours, &minutes))
        return false;
    snprintf(ret_zone, ZONE_NAME_SIZE, "GMT%c%02d:%02d", sign, hours, minutes);
    return true;
}

// ---- names of IANA and ICU ------------------------------------------------------------------

// ICU takes more of three letters, as Java once did, but "BST" is Bangladesh to it, "IST" India
// and "AST" Alaska. Those that IANA has can mean but one thing.
static bool is_ambiguous(const char *name)
{
    static const char known[] = "CET EET EST GMT HST MET MST PRC ROC ROK UCT UTC WET";
    return strlen(name) == 3 && (!strstr(known, name) || strchr(name, ' '));
}

static bool is_iana(const char *name)
{
    // Names of what is not known, and would be shown as UTC.
    if (is_ambiguous(name) || strcmp(name, "Etc/Unknown") == 0 || strcmp(name, "Factory") == 0)
        return false;
    UErrorCode status = U_ZERO_ERROR;
    UChar id[ZONE_NAME_SIZE];
    UChar canonical[ZONE_NAME_SIZE];
    UBool is_system = false;
    u_charsToUChars(name, id, (int32_t)strlen(name) + 1);
    ucal_getCanonicalTimeZoneID(id, -1, canonical, ZONE_NAME_SIZE, &is_system, &status);
    return U_SUCCESS(status) && is_system;
}

// ---- any name -------------------------------------------------------------------------------

bool zone_resolve(const char *name, char ret_zone[ZONE_NAME_SIZE])
{
    char text[ZONE_NAME_SIZE];
    size_t size = name ? strlen(name) : 0;
    while (size > 0 && *name == ' ') {
        name++;
        size--;
    }
    while (size > 0 && name[size - 1] == ' ')
        size--;
    if (size == 0 || size >= sizeof(text))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)name[i]) && !strchr(" ()+-./:_", name[i]))
            return false;
    }
    memcpy(text, name, size);
    text[size] = '\0';

    if (read_offset(text, ret_zone))
        return true;
    const char *zone = is_iana(text) ? text : find_unsigned(text);
    if (!zone)
        zone = find_windows(text);
    if (zone)
        memcpy(ret_zone, zone, strlen(zone) + 1);
    return zone != NULL;
}
