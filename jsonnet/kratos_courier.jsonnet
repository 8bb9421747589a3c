// Makes a canonical mail of what Ory Kratos' courier posts, whatever its version and `body`:
//   - `function(ctx) ctx` or kratos_body.jsonnet, v1.1 to v26.2: recipient, template_data, ...
//   - the same from v1.0: Recipient, TemplateData, ...
//   - Kratos' default body, which is flat: recipient, verification_code, recovery_url, ...
//   - a reduced body: {to, template_type, template_data: {login_code, identity, ...}}
// It only picks and renames. Addresses, locales, limits and types are checked afterwards.
//
// The natives look into the payload in C, which is a hundred times faster than Jsonnet's own
// operators. `a|b` are alternatives, the first text that is there wins; `a+b` joins two by a
// space; the empty path is the payload itself; "email" in quotes is that word.
local text = std.native('text');
local text_in = std.native('text_in');
local texts_in = std.native('texts_in');
local number = std.native('number');

// The flat default body has at the top what is below template_data elsewhere.
local data = 'template_data|TemplateData|';

// Kratos' codes have six digits. One that comes as a number has lost the zeros before it.
local numbers = 'template_data.login_code|template_data.registration_code|template_data.recovery_code|template_data.verification_code|login_code|registration_code|recovery_code|verification_code|TemplateData.RecoveryCode|TemplateData.VerificationCode';
local six_digits(text, number) =
  if std.primitiveEquals(number, null) then text
  else if std.toString(number) == text then '000000'[std.length(text):] + text
  else text;

// A type's own code goes before any other. Recovery by SMS calls its code verification_code.
local codes = 'login_code|registration_code|recovery_code|verification_code|LoginCode|RegistrationCode|RecoveryCode|VerificationCode';
local own_codes = {
  login_code_valid: 'login_code|' + codes,
  registration_code_valid: 'registration_code|' + codes,
  recovery_code_valid: 'recovery_code|RecoveryCode|' + codes,
  verification_code_valid: 'verification_code|VerificationCode|' + codes,
};

// Registration has no identity yet: by e-mail the traits stand alone, by SMS as the identity.
local traits = 'template_data.identity.traits|TemplateData.Identity.traits|template_data.traits|template_data.identity';

// Traits are the operator's own: these are the names that identity schemas give to a name.
local names = 'name|name.first+name.last|first_name+last_name|firstName+lastName|given_name+family_name|name.first_name+name.last_name|display_name|displayName|full_name|fullName';

// Where a person's language and time zone are looked for, best place first.
local wishes = 'template_data.transient_payload|' + traits +
               '|template_data.identity.metadata_public|TemplateData.Identity.metadata_public';

local languages = 'lang|language|locale|default_language|preferred_language|lang.0|language.0|locale.0';

local template = 'template_type|TemplateType';
local codes_of(type) = if type in own_codes then own_codes[type] else codes;

function(payload) {
  channel: text('message_type|"email"'),
  template: text(template),
  to: text('recipient|Recipient|to|template_data.to|TemplateData.To'),
  data: {
    code: six_digits(text_in(data, codes_of(text(template + '|""'))), number(numbers)),
    url: text_in(data, 'recovery_url|verification_url|RecoveryURL|VerificationURL'),
    name: text_in(traits, names),
    at: text('template_data.changed_at|template_data.added_at'),
    request_url: text('template_data.request_url'),
  },
  locales: texts_in(wishes, languages),
  accept_language: text('request_headers.Accept-Language.0|request_headers.Accept-Language'),
  user_agent: text('request_headers.User-Agent.0|request_headers.User-Agent'),
  timezone: text_in(wishes, 'timezone|time_zone|zoneinfo|tz'),
  identity_id: text('template_data.identity.id|TemplateData.Identity.id'),
  brand: text('template_data.oauth2_login_request.client.client_id'),
  expires_in_minutes: number('template_data.expires_in_minutes'),
  fallback: {
    subject: text('subject|Subject'),
    text: text('body|Body'),
    html: text('html_body'),
  },
}
