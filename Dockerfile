# The relay alone, as user 65532. The packages are those of the Makefile's lists.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /src
COPY Makefile VERSION ./
RUN make deps-build
COPY . .
RUN make -j"$(nproc)" && make install PREFIX=/usr DESTDIR=/out \
    && strip --strip-unneeded /out/usr/bin/courier-relay /out/usr/libexec/courier-relay/* \
    && make -s packages-run > /out/packages

FROM ${BASE}
COPY --from=build /out/packages /tmp/packages
# tini: whoever is process 1 has to reap what dies as an orphan, such as what `docker exec` leaves.
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini $(cat /tmp/packages) \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /tmp/packages \
    && install -d -m 700 -o 65532 -g 65532 /var/lib/courier-relay
COPY --from=build /out/usr/ /usr/
USER 65532:65532
ENV RELAY_QUEUE_DIR=/var/lib/courier-relay
VOLUME /var/lib/courier-relay
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["courier-relay", "health"]
ENTRYPOINT ["tini", "--", "courier-relay"]
CMD ["serve"]
