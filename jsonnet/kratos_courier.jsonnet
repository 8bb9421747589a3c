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

// Registration has no identity yet: by e-mail the traits stand alone, by SMS as the identity.
local traits = 'template_data.identity.traits|TemplateData.Identity.traits|template_data.traits|template_data.identity';

// Where a person's language and time zone are looked for, best place first.
local wishes = 'template_data.transient_payload|' + traits +
               '|template_data.identity.metadata_public|TemplateData.Identity.metadata_public';

function(payload) {
  channel: text('message_type|"email"'),
  template: text('template_type|TemplateType'),
  to: text('recipient|Recipient|to|template_data.to|TemplateData.To'),
  data: {
    // Recovery by SMS calls its code verification_code.
    code: text_in(data, 'login_code|registration_code|recovery_code|verification_code|RecoveryCode|VerificationCode'),
    url: text_in(data, 'recovery_url|verification_url|RecoveryURL|VerificationURL'),
    name: text_in(traits, 'name|name.first+name.last|first_name+last_name|given_name+family_name|display_name'),
    at: text('template_data.changed_at|template_data.added_at'),
    request_url: text('template_data.request_url'),
  },
  locales: texts_in(wishes, 'lang|language|locale|default_language|preferred_language'),
  accept_language: text('request_headers.Accept-Language.0'),
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
