# The relay alone, as user 65532. The packages are those of the Makefile's lists.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /src
COPY Makefile VERSION ./
RUN make deps-build
COPY . .
RUN make -j"$(nproc)" && make install PREFIX=/usr DESTDIR=/out && make -s packages-run > /out/packages

FROM ${BASE}
COPY --from=build /out/packages /tmp/packages
RUN apt-get update \
    && apt-get install -y --no-install-recommends $(cat /tmp/packages) \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /tmp/packages \
    && install -d -m 700 -o 65532 -g 65532 /var/lib/courier-relay
COPY --from=build /out/usr/ /usr/
USER 65532:65532
ENV RELAY_QUEUE_DIR=/var/lib/courier-relay
VOLUME /var/lib/courier-relay
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["courier-relay"]
CMD ["serve"]
