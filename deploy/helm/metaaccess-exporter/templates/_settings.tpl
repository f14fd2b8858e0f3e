{{/* The settings of the exporter as environment variables, by which `healthcheck` and `check` in the same container know
     them too. */}}
{{- define "metaaccess-exporter.settings" -}}
{{- $folder := include "metaaccess-exporter.configFolder" . -}}
{{- $set := dict -}}
{{- with .Values.web -}}
{{- $_ := set $set "METAACCESS_WEB_LISTEN_ADDRESS" (printf ":%s" (include "metaaccess-exporter.number" .port)) -}}
{{- $_ := set $set "METAACCESS_WEB_TELEMETRY_PATH" .telemetryPath -}}
{{- $_ := set $set "METAACCESS_WEB_ENABLE_LIFECYCLE" (toString .enableLifecycle) -}}
{{- $_ := set $set "METAACCESS_WEB_MAX_CONNECTIONS" (include "metaaccess-exporter.number" .maxConnections) -}}
{{- end -}}
{{- if include "metaaccess-exporter.hasWebConfig" . -}}
{{- $_ := set $set "METAACCESS_WEB_CONFIG_FILE" (printf "%s/web.yml" $folder) -}}
{{- end -}}
{{- with .Values.api -}}
{{- $_ := set $set "METAACCESS_API_LOGS" (join "," .logs) -}}
{{- $_ := set $set "METAACCESS_API_ORDER" .order -}}
{{- $_ := set $set "METAACCESS_API_TIMEZONE" .timezone -}}
{{- $_ := set $set "METAACCESS_API_LOOKBACK" .lookback -}}
{{- $_ := set $set "METAACCESS_API_LATENESS" .lateness -}}
{{- $_ := set $set "METAACCESS_API_TIMEOUT" .timeout -}}
{{- end -}}
{{- $_ := set $set "METAACCESS_SCRAPE_TIMEOUT_OFFSET" .Values.scrape.timeoutOffset -}}
{{- $_ := set $set "METAACCESS_SCRAPE_MIN_INTERVAL" .Values.scrape.minInterval -}}
{{- with .Values.metrics -}}
{{- $_ := set $set "METAACCESS_METRICS_HOSTNAME" .hostname -}}
{{- $_ := set $set "METAACCESS_METRICS_MAX_SERIES" (include "metaaccess-exporter.number" .maxSeries) -}}
{{- $_ := set $set "METAACCESS_METRICS_MAX_EVENTS" (include "metaaccess-exporter.number" .maxEvents) -}}
{{- $_ := set $set "METAACCESS_METRICS_ZERO_FOR" .zeroFor -}}
{{- $_ := set $set "METAACCESS_METRICS_CREATED" (toString .created) -}}
{{- if or .hostnameKey.value .hostnameKey.existingSecret -}}
{{- $_ := set $set "METAACCESS_METRICS_HOSTNAME_KEY_FILE" (printf "%s/hostname-key" $folder) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $set "METAACCESS_LOG_LEVEL" .Values.log.level -}}
{{- $_ := set $set "METAACCESS_LOG_FORMAT" .Values.log.format -}}
{{- if not .Values.demo -}}
{{- $set = merge $set (include "metaaccess-exporter.realSettings" . | fromJson) -}}
{{- end -}}
{{- toJson $set -}}
{{- end -}}

{{/* Those of a real API, which the demo has no use for. */}}
{{- define "metaaccess-exporter.realSettings" -}}
{{- $folder := include "metaaccess-exporter.configFolder" . -}}
{{- $set := dict "METAACCESS_CONFIG_FILE" (printf "%s/accounts.yml" $folder) -}}
{{- $_ := set $set "METAACCESS_API_BASE_URL" .Values.api.baseUrl -}}
{{- $_ := set $set "METAACCESS_API_RATE_LIMIT" .Values.api.rateLimit -}}
{{- with .Values.api.ca -}}
{{- if or .value .existingConfigMap .existingSecret -}}
{{- $_ := set $set "METAACCESS_API_CA_FILE" (printf "%s/ca.crt" $folder) -}}
{{- end -}}
{{- end -}}
{{- with include "metaaccess-exporter.stateUrl" . -}}
{{- $_ := set $set "METAACCESS_STATE_URL" . -}}
{{- end -}}
{{- with .Values.state.password -}}
{{- if or .value .existingSecret -}}
{{- $_ := set $set "METAACCESS_STATE_PASSWORD_FILE" (printf "%s/database-password" $folder) -}}
{{- end -}}
{{- end -}}
{{- with .Values.proxy.url -}}
{{- $_ := set $set "HTTPS_PROXY" . -}}
{{- end -}}
{{- with .Values.proxy.noProxy -}}
{{- $_ := set $set "NO_PROXY" . -}}
{{- end -}}
{{- toJson $set -}}
{{- end -}}

{{/* The environment of a container: (list $ OTHERS), where OTHERS are more settings. */}}
{{- define "metaaccess-exporter.env" -}}
{{- $root := first . -}}
{{- $env := list -}}
{{- range $name, $value := merge (include "metaaccess-exporter.settings" $root | fromJson) (last .) -}}
{{- if ne $value "" -}}
{{- /* Kubernetes makes one dollar of two, and a variable of $(NAME). */ -}}
{{- $env = append $env (dict "name" $name "value" (replace "$" "$$" $value)) -}}
{{- end -}}
{{- end -}}
{{- concat $env $root.Values.extraEnv | toYaml -}}
{{- end -}}
