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
tools: ## Build Kubernetes, CoreDNS, helm and kubeconform into the cache
	@$(DEV) tools

.PHONY: images
images: ## Build the operator's and the runtime's image (GPU=1: the GPU image as well)
	@$(DEV) images $(if $(GPU),gpu)
