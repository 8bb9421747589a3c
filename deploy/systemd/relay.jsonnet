// /etc/courier-relay/relay.jsonnet: courier-relay.conf(5). The API key and the smarthost are in files of
// their own, which the unit names.
{
  mail_from: 'Acme <no-reply@acme.example>',
}
