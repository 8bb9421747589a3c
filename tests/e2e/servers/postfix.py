"""Postfix, as Debian builds it, with a folder, a port and a configuration of its own."""
import re
import shutil
import subprocess

from mail_server import GROUP, USER, MailServer

# All mail for example.com goes into one maildir, but for nobody@.
MAIN = """compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {folder}/etc
mail_owner = {user}
setgid_group = {group}
import_environment = MAIL_CONFIG TZ LD_LIBRARY_PATH SASL_PATH
maillog_file = {folder}/log/main
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.test
smtpd_banner = $myhostname ESMTP postfix {folder}
mydestination =
mynetworks =
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = example.com
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = regexp:{folder}/etc/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_minimum_uid = 1
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtputf8_enable = yes
"""
MASTER = """127.0.0.1:{port} inet n - n - - smtpd
{smtps}
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
proxymap  unix - - n - - proxymap
error     unix - - n - - error
retry     unix - - n - - error
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""
TLS = """smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {certificates}/localhost.pem
smtpd_tls_key_file = {certificates}/localhost.key
smtpd_tls_received_header = yes
smtpd_tls_session_cache_database =
"""
SASL = """smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = mail.test
smtpd_sasl_authenticated_header = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_sender_restrictions = permit_sasl_authenticated, reject
smtpd_delay_reject = no
"""
QUEUES = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
          "private", "saved", "trace"]


class Postfix(MailServer):
    """settings: of main.cf. certificates: a folder with localhost.pem and .key; TLS is then
    required. smtps: TLS is spoken at once, on the same port. sasl: mechanisms, for users of
    set_password(), and then nobody else is let in."""

    def __init__(self, packages, certificates=None, smtps=False, sasl=(), **settings):
        super().__init__(packages, certificates)
        self.smtps, self.sasl, self.settings = smtps, sasl, settings

    def configure(self):
        for name in QUEUES:
            self.own_folder(f"spool/{name}")
        self.own_folder("spool/public", 0o710, GROUP)
        (self.folder / "spool/pid").mkdir(exist_ok=True)
        (self.folder / "spool").chmod(0o755)
        self.own_folder("data")
        self.own_folder("mail/all")
        self.own_folder("mail")
        self.write("etc/mailboxes", "!/^nobody/ all/\n")
        names = {"folder": self.folder, "root": self.packages.root, "user": USER, "group": GROUP,
                 "uid": (self.folder / "mail").stat().st_uid, "certificates": self.certificates}
        text = MAIN + (TLS if self.certificates else "") + (SASL if self.sasl else "")
        settings = dict(re.split(" = ?", line, maxsplit=1) for line in text.format(**names).splitlines())
        settings |= {name: str(value) for name, value in self.settings.items()}
        self.write("etc/main.cf", "".join(f"{name} = {value}\n"
                                          for name, value in settings.items()))
        # Where Debian's Postfix looks for it, whatever cyrus_sasl_config_path says.
        self.write("etc/sasl/smtpd.conf", f"""pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {self.folder}/users
mech_list: {' '.join(self.sasl)}
""")
        smtps = "  -o smtpd_tls_wrappermode=yes" if self.smtps else ""
        self.write("etc/master.cf", MASTER.format(port=self.port, smtps=smtps).replace("\n\n", "\n"))

    def command(self):
        return [str(self.packages.root / "usr/lib/postfix/sbin/master"), "-d", "-c",
                str(self.folder / "etc")]

    def set_password(self, user, password):
        """As an administrator does it; counts from the next AUTH on."""
        users = self.folder / "users"
        subprocess.run(
            [str(self.packages.root / "usr/sbin/saslpasswd2"), "-p", "-c", "-u", "mail.test",
             "-f", str(users), user],
            input=password, text=True, check=True, env=self.packages.environment())
        shutil.chown(users, USER, USER)

    def sessions(self):
        """What each connection that has ended did, by the log: {"mail": 1, "bdat": 2, ...}."""
        return [dict(word.split("=") for word in line.split(" disconnect from ")[1].split()[1:])
                for line in self.log().splitlines() if " disconnect from " in line]
