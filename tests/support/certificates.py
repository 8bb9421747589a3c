"""Certificates for scripted servers, made by openssl."""
import ssl
import subprocess


def make_certificate(folder, name="localhost", issuer=None, made=None):
    """A certificate for name, in folder/NAME.pem; returns a server's SSLContext.

    issuer: the name of one made before that vouches for it, in place of itself. made: when, for one
    that has ended since ("2020-01-01"); it is good for two days."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    if not certificate.exists():
        vouching = ["-CA", str(folder / f"{issuer}.pem"), "-CAkey", str(folder / f"{issuer}.key"),
                    "-addext", "basicConstraints=CA:FALSE"] if issuer else []
        subprocess.run(
            [*(["faketime", made] if made else []),
             "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
             *vouching, "-keyout", str(key), "-out", str(certificate)],
            check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
