// What Kratos posts to courier-relay: courier.http.request_config.body in Kratos' configuration.
//
// Everything of ctx but what no mail needs: the end user's request headers, save the two that
// tell the language and the browser, and a person's address records. That saves bytes and CPU, and
// keeps those headers out of the relay. It is no remedy for large identities: Kratos hands this text
// and ctx to its evaluator through a buffer of 64 KiB, before anything here is left out.
// A body that fails is a mail lost, so nothing here can fail, whatever the version (go-jsonnet 0.19
// to 0.21; v1.0 has ctx.TemplateData, no headers, and passes as it is).
local headers = ['Accept-Language', 'User-Agent'];
local records = ['verifiable_addresses', 'recovery_addresses', 'schema_url'];

local change(object, key, how) =
  if std.isObject(object) && std.objectHas(object, key) && std.isObject(object[key])
  then object { [key]: how(object[key]) }
  else object;
local only(names) = function(object)
  { [name]: object[name] for name in names if std.objectHas(object, name) };
local without(names) = function(object)
  { [name]: object[name] for name in std.objectFields(object) if !std.member(names, name) };

function(ctx)
  change(
    change(ctx, 'request_headers', only(headers)),
    'template_data',
    function(data) change(data, 'identity', without(records)),
  )
