// Makes a canonical mail of what Ory Kratos' courier posts, whatever its version and `body`:
//   - `function(ctx) ctx` or kratos_body.jsonnet, v1.1 to v26.2: recipient, template_data, ...
//   - the same from v1.0: Recipient, TemplateData, ...
//   - Kratos' default body, which is flat: recipient, verification_code, recovery_url, ...
//   - a reduced body: {to, template_type, template_data: {login_code, identity, ...}}
// It only picks and renames. Addresses, locales, limits and types are checked afterwards.
//
// So it is a table and no function (docs/normaliser.md): it is read once, and for each payload
// looked up in C, ten times faster than Jsonnet's own operators would. `a|b` are alternatives, the
// first text that is there wins; `a+b` joins two by a space; the empty path is the payload itself;
// "email" in quotes is that word; [objects, paths] looks in each of these objects.

// The flat default body has at the top what is below template_data elsewhere.
local data = 'template_data|TemplateData|';

// A type's own code goes before any other. Recovery by SMS calls its code verification_code.
// Kratos' codes have six digits: one that comes as a number has lost the zeros before it.
local codes = 'login_code|registration_code|recovery_code|verification_code|LoginCode|RegistrationCode|RecoveryCode|VerificationCode';
local code(own='') = [data, own + codes, 6];

// Registration has no identity yet: by e-mail the traits stand alone, by SMS as the identity.
local traits = 'template_data.identity.traits|TemplateData.Identity.traits|template_data.traits|template_data.identity';

// Traits are the operator's own: these are the names that identity schemas give to a name.
local names = 'name|name.first+name.last|first_name+last_name|firstName+lastName|given_name+family_name|name.first_name+name.last_name|display_name|displayName|full_name|fullName';

// Where a person's language and time zone are looked for, best place first.
local wishes = 'template_data.transient_payload|' + traits +
               '|template_data.identity.metadata_public|TemplateData.Identity.metadata_public';

local languages = 'lang|language|locale|default_language|preferred_language|lang.0|language.0|locale.0';

{
  channel: 'message_type|"email"',
  template: 'template_type|TemplateType',
  to: 'recipient|Recipient|to|template_data.to|TemplateData.To',
  data: {
    code: {
      login_code_valid: code(),
      registration_code_valid: code('registration_code|'),
      recovery_code_valid: code('recovery_code|RecoveryCode|'),
      verification_code_valid: code('verification_code|VerificationCode|'),
      otherwise: code(),
    },
    url: [data, 'recovery_url|verification_url|RecoveryURL|VerificationURL'],
    name: [traits, names],
    at: 'template_data.changed_at|template_data.added_at',
    request_url: 'template_data.request_url',
  },
  locales: [wishes, languages],
  accept_language: 'request_headers.Accept-Language.0|request_headers.Accept-Language',
  user_agent: 'request_headers.User-Agent.0|request_headers.User-Agent',
  timezone: [wishes, 'timezone|time_zone|zoneinfo|tz'],
  identity_id: 'template_data.identity.id|TemplateData.Identity.id',
  brand: 'template_data.oauth2_login_request.client.client_id',
  expires_in_minutes: 'template_data.expires_in_minutes',
  fallback: {
    subject: 'subject|Subject',
    text: 'body|Body',
    html: 'html_body',
  },
}
