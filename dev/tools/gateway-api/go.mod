module mlneuron.dev/tools/gateway-api

go 1.26.8

// Its CRDs are what is wanted, not its packages: `go mod tidy` would take it out. As Traefik in uv.lock has it.
require sigs.k8s.io/gateway-api v1.6.3
