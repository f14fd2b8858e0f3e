{{/* The folder of all files that the exporter is given. One volume, and no subPath: what is mounted by one never
     changes. */}}
{{- define "metaaccess-exporter.folder" -}}
/etc/metaaccess-exporter
{{- end -}}

{{/* Whether there is a web configuration. */}}
{{- define "metaaccess-exporter.hasWebConfig" -}}
{{- with .Values.web.config -}}
{{- if or .value .existingSecret -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* One source of the volume: (dict "kind" "secret" "name" NAME "items" {KEY: PATH}). */}}
{{- define "metaaccess-exporter.source" -}}
{{- $items := list -}}
{{- range $key, $path := .items -}}
{{- $items = append $items (dict "key" $key "path" $path) -}}
{{- end -}}
{{- list (dict .kind (dict "name" .name "items" $items)) | toYaml -}}
{{- end -}}

{{/* The source of a file that is in a ConfigMap or a Secret of the user's: (list GIVEN PATH). */}}
{{- define "metaaccess-exporter.givenSource" -}}
{{- $given := first . -}}
{{- $items := dict (toString $given.key) (last .) -}}
{{- with $given.existingConfigMap }}
{{ include "metaaccess-exporter.source" (dict "kind" "configMap" "name" . "items" $items) }}
{{- end -}}
{{- with $given.existingSecret }}
{{ include "metaaccess-exporter.source" (dict "kind" "secret" "name" . "items" $items) }}
{{- end -}}
{{- end -}}

{{/* Which keys of which Secrets hold credentials of accounts. */}}
{{- define "metaaccess-exporter.credentialSources" -}}
{{- $root := . -}}
{{- $secrets := dict -}}
{{- range .Values.accounts -}}
{{- $credential := include "metaaccess-exporter.credential" (list $root .) | fromJson -}}
{{- $items := get $secrets $credential.secret | default dict -}}
{{- $_ := set $items $credential.key (printf "secrets/%s/%s" $credential.secret $credential.key) -}}
{{- $_ := set $secrets $credential.secret $items -}}
{{- end -}}
{{- range $name, $items := $secrets }}
{{ include "metaaccess-exporter.source" (dict "kind" "secret" "name" $name "items" $items) }}
{{- end -}}
{{- end -}}

{{/* What the exporter reads of the accounts. */}}
{{- define "metaaccess-exporter.accountSources" -}}
{{- $items := dict "accounts.yml" "accounts.yml" -}}
{{- if .Values.api.ca.value -}}
{{- $_ := set $items "ca.crt" "ca.crt" -}}
{{- end }}
{{ include "metaaccess-exporter.source" (dict "kind" "configMap" "name" (include "metaaccess-exporter.fullname" .) "items" $items) }}
{{- include "metaaccess-exporter.credentialSources" . }}
{{- include "metaaccess-exporter.givenSource" (list .Values.api.ca "ca.crt") }}
{{- end -}}

{{/* What it reads whatever the accounts are. */}}
{{- define "metaaccess-exporter.commonSources" -}}
{{- $items := dict -}}
{{- if .Values.metrics.hostnameKey.value -}}
{{- $_ := set $items "hostname-key" "hostname-key" -}}
{{- end -}}
{{- if .Values.web.config.value -}}
{{- $_ := set $items "web.yml" "web/web.yml" -}}
{{- end -}}
{{- if $items }}
{{ include "metaaccess-exporter.source" (dict "kind" "secret" "name" (include "metaaccess-exporter.fullname" .) "items" $items) }}
{{- end -}}
{{- include "metaaccess-exporter.givenSource" (list .Values.metrics.hostnameKey "hostname-key") }}
{{- include "metaaccess-exporter.givenSource" (list .Values.web.config "web/web.yml") }}
{{- with .Values.web.certificateSecret }}
{{ include "metaaccess-exporter.source" (dict "kind" "secret" "name" . "items" (dict "tls.crt" "web/tls.crt" "tls.key" "web/tls.key")) }}
{{- end -}}
{{- include "metaaccess-exporter.givenSource" (list .Values.web.clientCa "web/client-ca.crt") }}
{{- end -}}

{{/* All sources of the volume; nothing where the exporter is given no file. */}}
{{- define "metaaccess-exporter.sources" -}}
{{- if not .Values.demo }}{{ include "metaaccess-exporter.accountSources" . }}{{ end -}}
{{- include "metaaccess-exporter.commonSources" . -}}
{{- end -}}

{{/* What a change of the web configuration takes over only by a restart: to take any of it away. */}}
{{- define "metaaccess-exporter.webAsksFor" -}}
{{- $asks := list -}}
{{- with .Values.web.config.value -}}
{{- $tls := .tls_server_config | default dict -}}
{{- if $tls }}{{ $asks = append $asks "tls" }}{{ end -}}
{{- with $tls.client_auth_type }}{{ $asks = append $asks . }}{{ end -}}
{{- if .basic_auth_users }}{{ $asks = append $asks "passwords" }}{{ end -}}
{{- end -}}
{{- join " " $asks -}}
{{- end -}}
