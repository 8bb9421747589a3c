-- What an attempt's connection was: to which address, "192.0.2.1:25", and by which TLS, "TLSv1.3".
-- Null where there was none, and in rows that are older.
ALTER TABLE attempt ADD COLUMN address TEXT;
ALTER TABLE attempt ADD COLUMN tls TEXT;
