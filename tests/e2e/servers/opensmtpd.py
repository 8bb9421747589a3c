"""OpenSMTPD, as Debian builds it, with a folder, a port and a configuration of its own."""
from mail_server import GROUP, USER, MailServer

# All mail for example.com goes into one maildir, but for nobody@.
MAIN = """listen on 127.0.0.1 port {port} hostname mail.test
action "store" maildir "{folder}/mail/all" virtual {{ "@example.com" = "{user}" }}
match from any for rcpt-to "nobody@example.com" reject
match from any for domain "example.com" action "store"
"""
# Its accounts, its folders and its programs' folder have names that nothing can change, and for
# each connection it asks DNS for a name: it finds all of them in a machine that it alone sees.
ALONE = ["unshare", "--mount", "sh", "-c", """set -eu
for file in passwd group resolv.conf; do
    mount --bind "$1/$file" /etc/$file
done
mount --bind "$2" /usr/libexec
for folder in /var/lib /var/spool /run; do
    mount -t tmpfs -o mode=755 none $folder
done
mkdir -p /var/lib/opensmtpd/empty
mkdir -m 711 /var/spool/smtpd
shift 2
exec "$@"
""", "sh"]


class OpenSmtpd(MailServer):
    STARTED = " starting"

    def __init__(self, packages):
        super().__init__(packages)
        self.log_path = self.folder / "output"

    def configure(self):
        for name in ("mail", "mail/all"):
            self.own_folder(name)
        for name, own in (("passwd", USER), ("group", GROUP)):
            lines = open(f"/etc/{name}", encoding="utf-8").read()
            line = next(line for line in lines.splitlines() if line.startswith(f"{own}:"))
            more = "".join(f"{account}:{line.split(':', 1)[1]}\n"
                           for account in ("opensmtpd", "opensmtpq"))
            self.write(name, lines + more)
        self.write("resolv.conf", "lookup file\nnameserver 127.0.0.1\n")
        self.write("smtpd.conf", MAIN.format(folder=self.folder, port=self.port, user=USER))

    def command(self):
        root = self.packages.root
        return [*ALONE, str(self.folder), str(root / "usr/libexec"),
                str(root / "usr/sbin/smtpd"), "-d", "-f", str(self.folder / "smtpd.conf")]
