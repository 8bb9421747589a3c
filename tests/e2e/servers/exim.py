"""Exim, as Debian builds it (with GnuTLS), with a folder, a port and a configuration of its own."""
import shutil

from mail_server import GROUP, USER, MailServer

MAIN = """exim_path = {exim}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
pid_file_path = {folder}/log/pid
keep_environment = LD_LIBRARY_PATH
exim_user = {user}
exim_group = {group}
deliver_drop_privilege = true
primary_hostname = mail.test
domainlist local_domains = example.com
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_queue_per_connection = 0
log_selector = +smtp_connection +tls_cipher
acl_smtp_mail = acl_mail
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
acl_smtp_predata = acl_data
{tls}
{settings}
begin acl
acl_mail:
  {demand}
  accept
acl_rcpt:
  accept domains = +local_domains
         verify = recipient
  deny
acl_data:
  accept
begin routers
all:
  driver = accept
  domains = +local_domains
  local_parts = !nobody
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {folder}/mail/all
  maildir_format
  user = {user}
  group = {group}
begin retry
* * F,1h,1m
"""
TLS = """tls_advertise_hosts = *
tls_certificate = {folder}/tls/localhost.pem
tls_privatekey = {folder}/tls/localhost.key"""

# Debian's Exim looks its account up by name. It finds it in a list of accounts that it alone sees.
AMONG_ACCOUNTS = ["unshare", "--mount", "sh", "-c", """set -eu
mount --bind "$1" /etc/passwd
mount --bind "$2" /etc/group
shift 2
exec "$@"
""", "sh"]


class Exim(MailServer):
    """settings: of the main section. certificates: a folder with localhost.pem and .key; TLS is
    then required."""

    def __init__(self, packages, certificates=None, **settings):
        super().__init__(packages, certificates)
        self.settings = settings

    def configure(self):
        for name in ("spool", "mail", "mail/all", "tls"):
            self.own_folder(name)
        if self.certificates:
            for name in ("localhost.pem", "localhost.key"):
                shutil.copy(self.certificates / name, self.folder / "tls")
                shutil.chown(self.folder / "tls" / name, USER, USER)
        # Without its set-uid bit: a program that has it is not told where its libraries are.
        exim = self.folder / "exim"
        if not exim.exists():
            shutil.copyfile(self.packages.root / "usr/sbin/exim4", exim)
            exim.chmod(0o755)
        for name in ("passwd", "group"):
            lines = open(f"/etc/{name}", encoding="utf-8").read()
            as_user = next(line for line in lines.splitlines()
                           if line.startswith(f"{USER if name == 'passwd' else GROUP}:"))
            self.write(name, f"{lines}Debian-exim:{as_user.split(':', 1)[1]}\n")
        self.write("exim.conf", MAIN.format(
            exim=exim, folder=self.folder, port=self.port, user=USER, group=GROUP,
            tls=TLS.format(folder=self.folder) if self.certificates else "tls_advertise_hosts =",
            demand="deny !encrypted = *" if self.certificates else "",
            settings="\n".join(f"{name} = {value}" for name, value in self.settings.items())))

    def command(self):
        return [*AMONG_ACCOUNTS, str(self.folder / "passwd"), str(self.folder / "group"),
                str(self.folder / "exim"), "-C", str(self.folder / "exim.conf"), "-bdf", "-q1m"]
