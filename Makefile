# `make` lists what there is. The local cluster is made by dev/, which needs nothing but python3.
.DEFAULT_GOAL := help
DEV := python3 -m dev

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: ## Make or update the local cluster, install the operator, serve the iris example (CLUSTER=current: your cluster)
	@$(DEV) up

.PHONY: down
down: ## End the local cluster and leave nothing of it
	@$(DEV) down

.PHONY: tools
tools: ## Build Kubernetes, CoreDNS, containerd, helm and kubeconform into the cache
	@$(DEV) tools

.PHONY: images
images: ## Build the operator's and the runtime's image (GPU=1: the GPU image as well)
	@$(DEV) images $(if $(GPU),gpu)

.PHONY: sync
sync: ## Make .venv as uv.lock says
	@$(DEV) sync

.PHONY: test
test: sync ## Run all tests: unit, contract, a real API server, a real node (TESTS=path: only those)
	@.venv/bin/pytest $(TESTS)

.PHONY: unit
unit: sync ## Run the tests that need no cluster
	@.venv/bin/pytest -m "not integration and not e2e"

.PHONY: check
check: sync ## Lint, types, layers, generated files, the chart
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/python -m mlneuron_operator.api.crd --check
	@.venv/bin/pytest -q tests/chart

.PHONY: crds
crds: sync ## Write crds/, the chart's copy and the reference page anew from the models
	@.venv/bin/python -m mlneuron_operator.api.crd --write

.PHONY: bench-operator
bench-operator: sync ## Measure the operator with 1,000 and 3,000 neurons on a real API server (about 10 minutes)
	@.venv/bin/python -m bench.operator

.PHONY: bench-rollout
bench-rollout: sync ## Simulate rollouts: how soon harm is seen, and how often where there is none (about 3 minutes)
	@.venv/bin/python -m bench.rollout

.PHONY: bench-soak
bench-soak: sync ## Look for what a server at full load holds on to (about 11 minutes; ARGS="--workers 2 --seconds 60")
	@.venv/bin/python -m bench.soak $(ARGS)

.PHONY: bench-traffic
bench-traffic: sync ## Measure what a split costs the front door, beside a hop through nginx (about 4 minutes)
	@.venv/bin/python -m bench.traffic $(ARGS)

.PHONY: bench-serving
bench-serving: sync ## Measure the runtime beside its peers and its limits (about 25 minutes; ARGS="--models iris": a part)
	@.venv/bin/python -m bench.serving $(ARGS)
